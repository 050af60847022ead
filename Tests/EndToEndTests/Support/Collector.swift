import Glibc
import TestSupport

/// `Tests/Tools/otlp-collector`: takes spans, and answers as a test wants.
final class Collector: Sendable {
    let folder: TemporaryFolder
    let endpoint: String
    private let child: ChildProcess

    /// - Parameter mode: `ok`, `status CODE [RETRY_AFTER]`, `slow SECONDS`, `hang` or `reject COUNT`.
    init(mode: String = "ok") throws {
        let folder = TemporaryFolder()
        self.folder = folder
        try FileText.write(mode, to: folder.file("mode"))
        let child = try ChildProcess(
            "/usr/bin/env",
            [
                "python3", Repository.path("Tests/Tools/otlp-collector"), "--port-file", folder.file("port"), "--spans",
                folder.file("spans"), "--mode-file", folder.file("mode"),
            ],
            output: folder.file("collector.log")
        )
        self.child = child
        let port = try Poll.until("the collector listens; \(child.output)") {
            access(folder.file("port"), R_OK) == 0 ? try FileText.text(folder.file("port")) : nil
        }
        self.endpoint = "http://127.0.0.1:\(port)"
    }

    func setMode(_ mode: String) throws {
        try FileText.write(mode, to: self.folder.file("mode"))
    }

    /// Everything received, as text.
    var text: String { (try? FileText.text(self.folder.file("spans"))) ?? "" }

    /// The spans received so far.
    ///
    /// - Throws: for one whose encoding is not OTLP's.
    func spans() throws -> [CollectedSpan] {
        try self.text.utf8.split(separator: UInt8(ascii: "\n")).map { line in
            let members = try JSONObject(line)
            if let violation = members.string("violation") { throw MalformedAnswer(reason: violation) }
            return CollectedSpan(members)
        }
    }
}

/// One span as the collector wrote it down.
struct CollectedSpan {
    let service: String
    let trace: String
    let id: String
    let parent: String?
    let state: String?
    let name: String
    let kind: Int
    let began: UInt64
    let ended: UInt64
    let isError: Bool
    let flags: Int
    let attributes: [String: Any]
    let resource: [String: Any]

    init(_ members: JSONObject) {
        self.resource = members.members["resource"] as? [String: Any] ?? [:]
        self.service = self.resource["service.name"] as? String ?? ""
        self.trace = members.string("traceId") ?? ""
        self.id = members.string("spanId") ?? ""
        self.parent = members.string("parentSpanId")
        self.state = members.string("traceState")
        self.name = members.string("name") ?? ""
        self.kind = members.integer("kind") ?? 0
        self.began = members.string("startTimeUnixNano").flatMap { UInt64($0) } ?? 0
        self.ended = members.string("endTimeUnixNano").flatMap { UInt64($0) } ?? 0
        self.isError = (members.members["status"] as? [String: Any])?["code"] as? Int == 2
        self.flags = members.integer("flags") ?? 0
        self.attributes = members.members["attributes"] as? [String: Any] ?? [:]
    }

    func text(_ name: String) -> String? { self.attributes[name] as? String }
    func integer(_ name: String) -> Int? { self.attributes[name] as? Int }

    /// Whether this span's time lies in the other's, give or take what two processes' clocks differ by.
    func isWithin(_ other: CollectedSpan, tolerance: UInt64 = 0) -> Bool {
        self.began + tolerance >= other.began && self.ended <= other.ended + tolerance && self.began <= self.ended
    }
}
