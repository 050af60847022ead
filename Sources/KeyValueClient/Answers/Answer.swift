import HTTP1
import JSON
import NIOHTTP1

/// A whole answer of the service.
struct Answer: Sendable {
    let status: Int
    let fields: HTTPHeaders
    let body: [UInt8]

    var isSuccess: Bool { 200..<300 ~= self.status }

    /// The first field of that name.
    subscript(name: String) -> String? { self.fields.first(name: name) }

    var requestID: String? { self["X-Request-Id"] }

    /// The revision in `ETag: "N"`.
    var entityTag: UInt64? { self["ETag"].flatMap { UInt64($0.filter { $0 != "\"" }) } }

    /// The body as a JSON document, converted; nil from `convert`, like a body that is not JSON, is an error.
    func document<Result>(_ convert: (JSONTree) -> Result?) throws(KeyValueError) -> Result {
        if let tree = try? JSONTree(parsing: self.body), let result = convert(tree) { return result }
        throw self.invalid
    }

    var invalid: KeyValueError {
        KeyValueError(
            status: self.status, code: KeyValueError.invalidAnswer,
            detail: "The answer is not one of a kv-service or api-gateway: check the address.",
            requestID: self.requestID)
    }
}

extension JSONTree {
    /// Bytes that are text under one name or Base64 under the other.
    func bytes(_ name: String, _ base64Name: String) -> [UInt8]? {
        if let text = self[name]?.string { return Array(text.utf8) }
        return self[base64Name]?.string.flatMap { Base64.decode($0.utf8) }
    }
}
