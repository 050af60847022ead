import JSON
public import NIOHTTP1

/// An error answer: `application/problem+json` (RFC 9457) with `type` (`urn:kv:error:<code>`), `title`, `status`,
/// `detail`, `code`, `request_id`, and for writes `applied`; `revision` and ``members`` where there are any.
public struct Problem: Error, Sendable {
    /// Whether a write that was answered with an error changed the store.
    public enum Applied: String, Sendable {
        case yes, no, unknown
    }

    public var status: HTTPResponseStatus
    /// A stable snake_case word for programs, such as `key_not_found`.
    public var code: String
    /// What happened, where, and what to do next, for people.
    public var detail: String
    /// Nil for requests that do not write.
    public var applied: Applied?
    /// The revision that the key has: the member `revision`, and `ETag`.
    public var revision: UInt64?
    /// Further members of the document, as JSON text: `"failed":[…]`. Empty for none.
    public var members: [UInt8] = []
    /// `Retry-After`, `Allow` and similar fields.
    public var headers: [(name: StaticString, value: String)]
    /// Whether this answer closes the connection.
    public var closesConnection: Bool

    public init(
        _ status: HTTPResponseStatus,
        code: String,
        detail: String,
        applied: Applied? = nil,
        revision: UInt64? = nil,
        headers: [(name: StaticString, value: String)] = [],
        closesConnection: Bool = false
    ) {
        self.status = status
        self.code = code
        self.detail = detail
        self.applied = applied
        self.revision = revision
        self.headers = headers
        self.closesConnection = closesConnection
    }
}

extension Problem {
    /// Adds a member whose value is a number.
    public mutating func add(_ name: StaticString, _ number: UInt64) {
        var writer = JSONWriter()
        writer.member(name, number)
        if !self.members.isEmpty { self.members.append(UInt8(ascii: ",")) }
        self.members += writer.bytes
    }

    /// The document as an answer.
    public func response(requestID: String) -> HTTPResponse {
        var writer = JSONWriter(reservingBytes: 256)
        writer.object { document in
            document.member("type", "urn:kv:error:" + self.code)
            document.member("title", self.status.reasonPhrase)
            document.member("status", self.status.code)
            document.member("detail", self.detail)
            document.member("code", self.code)
            document.member("request_id", requestID)
            if let applied = self.applied { document.member("applied", applied.rawValue) }
            if let revision = self.revision { document.member("revision", revision) }
            if !self.members.isEmpty { document.append(members: self.members) }
        }
        writer.newline()
        let head = ResponseHead(
            status: self.status, contentType: "application/problem+json", entityTag: self.revision,
            headers: self.headers)
        return HTTPResponse(head, .bytes(writer.bytes))
    }
}
