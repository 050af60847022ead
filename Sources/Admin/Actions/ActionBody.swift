import HTTP1
import HTTPServing
import JSON
import NIOCore
import NIOHTTP1

/// The JSON body of an action, parsed strictly: a member that is ignored may have been important to the caller.
struct ActionBody {
    /// For every action's body.
    static let limitBytes = 1_024
    /// Maximum length of an operator's reason for an action.
    static let reasonLimitBytes = 256

    private let object: FlatJSONObject
    private let usage: String

    /// - Parameters:
    ///   - names: the members that the action accepts.
    ///   - usage: an example of a body, for errors.
    /// - Throws: 415 `unsupported_media_type`, 400 `not_json` or `bad_json`.
    init(_ request: HTTPRequest, names: [String], usage: String) throws(Problem) {
        self.usage = usage
        let types = request.headers.elements(of: "content-type")
        // Form types in particular are refused: web pages can send them anywhere. Simple clients send no type at all.
        guard !request.headers.contains("content-encoding"), types.count <= 1,
            types.allSatisfy({ MediaType($0[...]).isNamed("application/json") && MediaType($0[...]).isUTF8 })
        else {
            throw Problem(
                .unsupportedMediaType, code: "unsupported_media_type",
                detail: "Send \(usage) as application/json, without a Content-Encoding.",
                headers: [("Accept", "application/json"), ("Accept-Post", "application/json")])
        }
        do { self.object = try FlatJSONObject(parsing: Array(request.body.readableBytesView)) } catch {
            throw Problem(
                .badRequest, code: "not_json", detail: "The body is not JSON: \(error.reason) at byte \(error.offset).")
        }
        guard self.object.names.allSatisfy(names.contains) else { throw self.bad("no other members") }
    }

    /// - Throws: 400 `bad_json` if the member is missing or not a Boolean.
    func bool(_ name: String) throws(Problem) -> Bool {
        guard case .bool(let value)? = self.object[name] else { throw self.bad("\(name) as true or false") }
        return value
    }

    /// Nil if the member is missing or null.
    /// - Throws: 400 `bad_json` if it is not a text, or longer than `limitBytes`.
    func text(_ name: String, limitBytes: Int) throws(Problem) -> String? {
        switch self.object[name] {
        case nil, .null?: return nil
        case .string(let bytes)? where (1...limitBytes).contains(bytes.count):
            return String(decoding: bytes, as: UTF8.self)
        default: throw self.bad("\(name) as a text of 1 to \(limitBytes) bytes")
        }
    }

    /// - Parameter expectation: completes "Send … with".
    func bad(_ expectation: String) -> Problem {
        Problem(.badRequest, code: "bad_json", detail: "Send \(self.usage) with \(expectation).")
    }
}
