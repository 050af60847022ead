import Foundation
import NIOCore
import TestSupport
import Testing

@testable import APIGateway

/// The answers in the folder `Corpus`: raw bytes, by what becomes of them.
struct AnswerCorpus {
    enum Kind: String, CaseIterable, Sendable { case accepted, refused, incomplete }

    struct Entry: Sendable, CustomTestStringConvertible {
        let name: String
        let kind: Kind
        let bytes: [UInt8]
        var testDescription: String { self.name }

        /// Where the bytes can be divided: everywhere, or at 500 places of a long answer.
        var divisions: StrideTo<Int> { stride(from: 1, to: self.bytes.count, by: max(1, self.bytes.count / 500)) }
    }

    static let all: [Entry] = {
        let folder = Repository.path("Tests/APIGatewayTests/Corpus")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().compactMap { name in
            guard let kind = Kind.allCases.first(where: { name.hasPrefix("\($0)-") }),
                let bytes = try? FileText.bytes("\(folder)/\(name)")
            else { return nil }
            return Entry(name: name, kind: kind, bytes: bytes)
        }
    }()

    static func entries(_ kind: Kind) -> [Entry] { self.all.filter { $0.kind == kind } }
}

/// What became of the bytes of an answer.
enum AnswerVerdict: Equatable {
    case complete(AnswerFields)
    case refused
    case incomplete
}

/// What the gateway reads of an answer.
struct AnswerFields: Equatable {
    var status = 0
    var mediaType = UpstreamResponse.MediaType.other
    var revision: UInt64?
    var isMiss = false
    var retryAfterSeconds: Int?
    var serverTiming: String?
    var isKeepAlive = false
    var body: [UInt8] = []
}

extension UpstreamConnectionStateMachine {
    static let maxBodyBytes = 65_536

    /// Gives a connection with a request the bytes of its answer, in packets.
    static func verdict(_ packets: [ArraySlice<UInt8>]) -> AnswerVerdict {
        var machine = UpstreamConnectionStateMachine(maxBodyBytes: Self.maxBodyBytes)
        machine.requestSent(id: "request-1")
        for packet in packets where !packet.isEmpty {
            switch machine.received(ByteBuffer(bytes: packet)) {
            case .none: continue
            case .fail: return .refused
            case .close: preconditionFailure("a request is in flight")
            case .complete(let response):
                let head = response.head
                return .complete(
                    AnswerFields(
                        status: head.status, mediaType: head.mediaType, revision: head.revision, isMiss: head.isMiss,
                        retryAfterSeconds: head.retryAfterSeconds, serverTiming: response.serverTiming,
                        isKeepAlive: head.isKeepAlive, body: Array(response.body.readableBytesView)))
            }
        }
        return .incomplete
    }
}
