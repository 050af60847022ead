import HTTP1
import NIOCore

/// One request, without the address of the service: what each of its attempts sends.
struct Call: Sendable {
    enum Method: String {
        case get = "GET"
        case put = "PUT"
        case post = "POST"
        case delete = "DELETE"
    }

    var method: Method
    /// Of the operation, such as `set`; nil: the path is `root`.
    var operation: String?
    /// In place of an operation: a path that is the same for each service, such as `/readyz`.
    var root = "/"
    var parameters: [(name: String, value: [UInt8])] = []
    var fields: [(name: String, value: String)] = []
    var body: [UInt8]?
    /// Whether it may change the store. Nil: it does not; else the key under which the service carries it out once, or
    /// an empty text if it has none.
    var idempotencyKey: String?

    var isWrite: Bool { self.idempotencyKey != nil }

    /// Whether the service recognises a second attempt.
    var hasKey: Bool { self.idempotencyKey?.isEmpty == false }

    /// The path and the query.
    func target(basePath: String) -> String {
        let path = self.operation.map { "\(basePath)/\($0)" } ?? self.root
        let query = self.parameters.map { "\($0.name)=\(Self.encoded($0.value))" }.joined(separator: "&")
        return query.isEmpty ? path : "\(path)?\(query)"
    }

    private static func encoded(_ bytes: [UInt8]) -> String {
        var buffer = ByteBuffer()
        buffer.writeWithOutputRawSpan(minimumWritableBytes: 3 * bytes.count) { output in
            // The pointer is used only for this call.
            unsafe bytes.withUnsafeBytes { unsafe PercentEncoding.appendQueryComponent($0, to: &output) }
        }
        return String(buffer: buffer)
    }

    mutating func add(_ condition: Condition?) {
        if let condition { self.fields.append(condition.field) }
    }

    mutating func add(_ expiry: Expiry?) {
        guard let (name, milliseconds) = expiry?.parameter else { return }
        self.parameters.append((name, Array("\(milliseconds)".utf8)))
    }
}
