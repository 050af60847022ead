import HTTP1
public import HTTPServing
import JSON
import JSONLogging
import NIOHTTP1

/// `GET /admin/events`: the last state changes, oldest first; with `?after=N` those with numbers above N.
public struct EventsDocument: Sendable {
    private let identity: ServiceIdentity
    private let journal: EventJournal

    public init(identity: ServiceIdentity, journal: EventJournal) {
        self.identity = identity
        self.journal = journal
    }

    public var route: Route {
        .admin(
            "/admin/events", takesQuery: true,
            get: { request throws(Problem) in .json(.ok, try self.bytes(for: request)) })
    }

    private func bytes(for request: HTTPRequest) throws(Problem) -> [UInt8] {
        let parameters = try QueryParameters(request.query, allowed: ["after"])
        var after: UInt64 = 0
        if let text = parameters.bytes("after") {
            guard let number = WholeNumber.parse(text) else {
                throw Problem(.badRequest, code: "bad_query", detail: "after must be the number of an event.")
            }
            after = number
        }
        let extract = self.journal.events(after: after)
        var writer = JSONWriter(reservingBytes: 256 + 256 * extract.events.count)
        writer.object { document in
            self.identity.writeHead(to: &document)
            document.member("last_number", extract.lastNumber)
            document.member("missed", extract.missed)
            document.member(
                "events",
                array: { array in
                    for event in extract.events { array.element(object: { Self.write(&$0, event) }) }
                })
        }
        writer.newline()
        return writer.bytes
    }

    private static func write(_ object: inout JSONWriter, _ event: EventJournal.Event) {
        object.member("number", event.number)
        object.memberTimestamp("time", nanosecondsSince1970: event.atNanoseconds)
        object.member("kind", event.kind.name)
        object.member("severity", event.severity)
        object.member("message", event.message)
        object.member("details", metadata: event.details)
    }
}

/// Numbers in query parameters.
enum WholeNumber {
    /// Digits only, and at most what fits; nil for anything else.
    static func parse(_ text: [UInt8]) -> UInt64? {
        guard !text.isEmpty, text.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return UInt64(String(decoding: text, as: UTF8.self))
    }
}
