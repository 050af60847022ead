package import NIOHTTP1

/// The `method` label: a method that this server knows, or `OTHER`, so that a client cannot choose a label value.
package enum HTTPMethodLabel: Int, CaseIterable {
    case get, head, post, put, delete, options, patch, trace, connect, other

    package init(_ method: HTTPMethod) {
        switch method {
        case .GET: self = .get
        case .HEAD: self = .head
        case .POST: self = .post
        case .PUT: self = .put
        case .DELETE: self = .delete
        case .OPTIONS: self = .options
        case .PATCH: self = .patch
        case .TRACE: self = .trace
        case .CONNECT: self = .connect
        default: self = .other
        }
    }

    package var method: HTTPMethod {
        switch self {
        case .get: .GET
        case .head: .HEAD
        case .post: .POST
        case .put: .PUT
        case .delete: .DELETE
        case .options: .OPTIONS
        case .patch: .PATCH
        case .trace: .TRACE
        case .connect: .CONNECT
        case .other: .RAW(value: "OTHER")
        }
    }

    package var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .other: "OTHER"
        }
    }
}
