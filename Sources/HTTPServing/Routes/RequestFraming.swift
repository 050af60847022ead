import HTTP1

/// How the length of a request's body is determined.
///
/// The rules of RFC 9112, section 6, without the tolerance that it permits: two kinds of length, or one kind twice, are
/// refused, because the next hop might use the other one.
enum RequestFraming: Equatable {
    case none
    case fixed(Int)
    case chunked

    /// - Throws: a 400 that closes the connection: the start of the next request is unknown.
    init(_ said: HeadFields.BodyLength, isHTTP11: Bool) throws(Problem) {
        if said.codings > 0 {
            guard said.lengths == 0 else {
                throw .badRequest("Content-Length and Transfer-Encoding must not both be present.")
            }
            guard isHTTP11 else {
                throw .badRequest("Transfer-Encoding needs HTTP/1.1.")
            }
            guard said.codings == 1, said.isChunked else {
                throw .badRequest("The only supported transfer coding is chunked, once.")
            }
            self = .chunked
            return
        }
        switch said.lengths {
        case 0: self = .none
        case 1:
            guard let length = said.length else { throw .badRequest("Content-Length must be one decimal number.") }
            self = length == 0 ? .none : .fixed(length)
        default: throw .badRequest("Content-Length must occur once.")
        }
    }
}
