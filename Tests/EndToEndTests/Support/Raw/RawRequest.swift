/// What a client sends as bytes, how the gateway must answer, and what may reach kv-service of it.
///
/// In the texts `{id}` stands for a request id and `{key}` for a key that no other exchange has and that is as long. Each character is a
/// byte.
struct RawRequest: Sendable {
    /// A request that kv-service gets.
    struct Reach: Sendable {
        let method: String
        let path: String
        /// kv-service's answer.
        var status = 200
        /// What the store contains afterwards because of it.
        var key = "{key}"
        var value: String?

        static func set(_ value: String = "x", key: String = "{key}") -> Reach {
            Reach(method: "POST", path: "/kv/set", key: key, value: value)
        }

        static func set(status: Int) -> Reach { Reach(method: "POST", path: "/kv/set", status: status) }

        static func get(_ status: Int = 404) -> Reach { Reach(method: "GET", path: "/kv/get", status: status) }
    }

    enum Way: Sendable {
        /// In one write, once alone and once with a further request behind it.
        case whole
        /// Likewise, but each byte is a write of its own.
        case byByte
        /// In one write, and the sending half is ended.
        case ended
    }

    let name: String
    let text: String
    /// The status of each answer.
    let statuses: [Int]
    /// Whether the connection takes a further request.
    let isOpen: Bool
    var reaches: [Reach] = []
    var way = Way.whole
    var isHead = false

    /// Nothing of it reaches kv-service, the connection ends with the answer, and nothing that follows is carried out.
    static func refused(_ name: String, _ text: String, _ status: Int = 400, _ way: Way = .whole) -> RawRequest {
        RawRequest(name: name, text: text, statuses: [status], isOpen: false, way: way)
    }

    /// The gateway itself answers, and the connection goes on.
    static func answered(_ name: String, _ text: String, _ status: Int) -> RawRequest {
        RawRequest(name: name, text: text, statuses: [status], isOpen: true)
    }

    /// It reaches kv-service as `reach`, whose status is the answer's, and the connection goes on.
    static func passed(_ name: String, _ text: String, _ reach: Reach = .set(), _ way: Way = .whole) -> RawRequest {
        RawRequest(name: name, text: text, statuses: [reach.status], isOpen: true, reaches: [reach], way: way)
    }

    /// Likewise, and the connection ends with the answer.
    static func last(_ name: String, _ text: String, _ reach: Reach = .set()) -> RawRequest {
        RawRequest(name: name, text: text, statuses: [reach.status], isOpen: false, reaches: [reach])
    }

    /// It never becomes complete: the connection is closed without an answer.
    static func unfinished(_ name: String, _ text: String) -> RawRequest {
        RawRequest(name: name, text: text, statuses: [], isOpen: false, way: .ended)
    }

    /// A set of `{key}`.
    ///
    /// - Parameter fields: one line each, besides those that every set needs.
    static func put(_ fields: String..., body: String = "", query: String = "key={key}") -> String {
        self.request("PUT /api/set?\(query)", ["Content-Type: application/octet-stream"] + fields, body)
    }

    /// A set of `{key}` to `x` with a correct length.
    static func setting(_ fields: String..., query: String = "key={key}") -> String {
        self.request(
            "PUT /api/set?\(query)", ["Content-Type: application/octet-stream", "Content-Length: 1"] + fields, "x")
    }

    /// A set with its value in chunks.
    static func chunked(_ body: String, _ fields: String...) -> String {
        self.request(
            "PUT /api/set?key={key}",
            ["Content-Type: application/octet-stream", "Transfer-Encoding: chunked"] + fields, body)
    }

    /// A get.
    static func get(_ fields: String..., target: String = "/api/get?key={key}") -> String {
        self.request("GET \(target)", fields, "")
    }

    static func json(_ path: String, _ body: String, _ fields: String...) -> String {
        self.request(
            "POST /api/\(path)",
            ["Content-Type: application/json", "Content-Length: \(self.bytes(body).count)"] + fields,
            body)
    }

    private static func request(_ start: String, _ fields: [String], _ body: String) -> String {
        "\(start) HTTP/1.1\r\nHost: a\r\nX-Request-Id: {id}\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n\(body)"
    }

    /// Each character as the byte of its number.
    static func bytes(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

    static let all: [RawRequest] = [
        lengths, chunks, lines, requestLines, hosts, targets, connections, fields, writeFields, bodies,
    ].flatMap { $0 }
}
