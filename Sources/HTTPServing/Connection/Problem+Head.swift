import HTTP1
import NIOHTTP1

extension Problem {
    /// The problem for a head that was refused before its fields were parsed.
    static func refusedHead(_ refusal: HeadScanner.Refusal, limits: HTTPServer.Limits) -> Problem {
        switch refusal {
        case .bareLineFeed: .badRequest("Lines must end with CR LF; a line feed has no carriage return before it.")
        case .bareCarriageReturn: .badRequest("Lines must end with CR LF; a carriage return has no line feed after it.")
        case .nulByte: .badRequest("The head contains a NUL byte.")
        case .foldedField: .badRequest("A header field must not begin with white space or continue on the next line.")
        case .requestLine: .badRequest("The request line must be: method, target, HTTP/1.1, separated by one space.")
        case .version:
            Problem(
                .httpVersionNotSupported,
                code: "http_version_not_supported",
                detail: "This server supports HTTP/1.1 and HTTP/1.0.",
                closesConnection: true
            )
        case .method:
            Problem(
                .notImplemented,
                code: "method_not_implemented",
                detail: "This server does not support the request's method.",
                closesConnection: true
            )
        case .targetTooLong:
            Problem(
                .uriTooLong,
                code: "target_too_long",
                detail: "The request target may have at most \(limits.targetBytes) bytes.",
                closesConnection: true
            )
        case .fieldsTooLarge:
            Problem(
                .requestHeaderFieldsTooLarge,
                code: "headers_too_large",
                detail: "The header fields may have at most \(limits.headerBytes) bytes together.",
                closesConnection: true
            )
        case .tooManyFields:
            Problem(
                .requestHeaderFieldsTooLarge,
                code: "too_many_headers",
                detail: "A request may have at most \(limits.headerCount) header fields.",
                closesConnection: true
            )
        }
    }
}
