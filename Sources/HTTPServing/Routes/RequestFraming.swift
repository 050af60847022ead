import HTTP1

/// How the length of a request's body is known.
///
/// The rules are those of RFC 9112, section 6, without any of the tolerance it permits: two ways to say the length, or
/// one way said twice, are refused, because the next hop might believe the other one.
enum RequestFraming: Equatable {
    case none
    case fixed(Int)
    case chunked

    /// - Throws: a 400 after which the connection can't be used: nobody knows where the next request begins.
    init(_ said: HeadFields.BodyLength, isHTTP11: Bool) throws(Problem) {
        if said.codings > 0 {
            guard said.lengths == 0 else {
                throw .badRequest("Content-Length and Transfer-Encoding must not both be present.")
            }
            guard isHTTP11 else {
                throw .badRequest("Transfer-Encoding needs HTTP/1.1.")
            }
            guard said.codings == 1, said.isChunked else {
                throw .badRequest("The only transfer coding taken is chunked, once.")
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
