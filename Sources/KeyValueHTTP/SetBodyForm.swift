import HTTP1
import HTTPServing
import NIOHTTP1

/// The format of a set request's body, by its `Content-Type`.
enum SetBodyForm {
    /// `{"key":…,"value":…}`
    case json
    /// The value itself, with the key in the query.
    case raw

    /// Determines the format.
    ///
    /// A missing type means JSON for a `POST` without a query, as simple clients send it. All other requests must have
    /// a type: form types in particular are refused, so that no web page can write through a visitor's browser.
    /// - Throws: 415 `unsupported_media_type`.
    init(of request: HTTPRequest) throws(Problem) {
        guard !request.fields.hasContentEncoding else {
            throw Self.unsupported(
                "The request has a Content-Encoding, which is not supported.", request,
                headers: [("Accept-Encoding", "identity")])
        }
        // The spellings of almost every program: no parsing is needed.
        if request.fields.contentType.count == 1 {
            let type = request.fields.contentType.value
            if request.equals(type, "application/octet-stream") {
                self = .raw
                return
            }
            if request.method == .post, request.equals(type, "application/json") {
                self = .json
                return
            }
        }
        let types = request.headers.elements(of: "content-type")
        guard types.count <= 1 else { throw Self.unsupported("The request has more than one Content-Type.", request) }
        guard let type = types.first.map({ MediaType($0[...]) }) else {
            guard request.method == .post, !request.hasQuery else {
                throw Self.unsupported("The request has no Content-Type.", request)
            }
            self = .json
            return
        }
        if type.isNamed("application/octet-stream") {
            self = .raw
        } else if type.isNamed("application/json") {
            guard request.method == .post else {
                throw Self.unsupported("A JSON body is accepted with POST only.", request)
            }
            guard type.isUTF8 else { throw Self.unsupported("JSON is accepted in UTF-8 only.", request) }
            self = .json
        } else {
            throw Self.unsupported("The request's Content-Type is not supported.", request)
        }
    }

    /// `Accept` lists the types that the request's method accepts (RFC 9110, section 15.5.16), `Accept-Post` those of
    /// `POST`.
    private static func unsupported(
        _ reason: String, _ request: HTTPRequest, headers: [(name: StaticString, value: String)] = []
    ) -> Problem {
        let ofPost = "application/json, application/octet-stream"
        return Problem(
            .unsupportedMediaType,
            code: "unsupported_media_type",
            detail: """
                \(reason) Send application/json with {"key":…,"value":…}, or application/octet-stream with ?key=… and \
                the value as the body.
                """,
            applied: .no,
            headers: headers + [
                ("Accept", request.method == .post ? ofPost : "application/octet-stream"), ("Accept-Post", ofPost),
            ]
        )
    }
}
