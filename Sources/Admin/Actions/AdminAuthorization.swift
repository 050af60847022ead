public import HTTP1
public import HTTPServing
import NIOHTTP1
import ServiceSettings
import Synchronization

/// Who may use the actions below `/admin`: clients with the bearer token of `--admin-token-file`; without such a file,
/// clients on this host's loopback interface. If the service has access keys, clients with the role `admin`, which the
/// routes require before any action is called. Any thread.
public final class AdminAuthorization: Sendable {
    /// The longest token, with some line ends after it.
    private static let tokenFileLimitBytes = 4_096

    private enum Permitted: Sendable {
        case token([UInt8])
        case loopback
        case allThatRoutesPermit
    }

    private let permitted: Mutex<Permitted>

    private init(_ permitted: Permitted) { self.permitted = Mutex(permitted) }

    /// For a service with access keys.
    public static let byAccessKey = AdminAuthorization(.allThatRoutesPermit)

    /// - Throws: if the file cannot be read or holds no usable token.
    public init(tokenFile: String?) throws(AdminTokenError) {
        self.permitted = Mutex(try tokenFile.map(Self.token) ?? .loopback)
    }

    /// Reads the token that a file has now. What this returns puts it in force, in place of the old one.
    public func reloaded(tokenFile: String) throws(AdminTokenError) -> @Sendable () -> Void {
        let token = try Self.token(tokenFile)
        return { self.permitted.withLock { $0 = token } }
    }

    private static func token(_ tokenFile: String) throws(AdminTokenError) -> Permitted {
        var bytes: [UInt8]
        do { bytes = try OperatorFile.read(tokenFile, limitBytes: Self.tokenFileLimitBytes) } catch {
            throw AdminTokenError("--admin-token-file: \(tokenFile) \(error)")
        }
        while bytes.last == 0x0A || bytes.last == 0x0D { bytes.removeLast() }
        guard (16...1_024).contains(bytes.count), bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw AdminTokenError(
                "--admin-token-file: \(tokenFile): a token is one line of 16 to 1024 printable ASCII characters")
        }
        return .token(bytes)
    }

    /// - Throws: 401 `unauthorized` or 403 `forbidden`.
    public func check(_ request: HTTPRequest) throws(Problem) {
        // A page in a browser on this host must not be able to act on behalf of its user.
        if request.headers.contains("origin") {
            throw Problem(.forbidden, code: "forbidden", detail: "Actions are not accepted from web pages.")
        }
        switch self.permitted.withLock({ $0 }) {
        case .allThatRoutesPermit: return
        case .loopback:
            if request.peerIsLoopback { return }
            throw Problem(
                .forbidden, code: "forbidden",
                detail: "Without --admin-token-file, actions are accepted from this host's loopback interface only.")
        case .token(let token): try Self.check(token, of: request)
        }
    }

    private static func check(_ token: [UInt8], of request: HTTPRequest) throws(Problem) {
        let given = request.headers.elements(of: "authorization")
        guard given.count == 1, given[0].lowercased().hasPrefix("bearer "),
            Self.isEqual(Array(given[0].utf8.dropFirst(7)), token)
        else {
            throw Problem(
                .unauthorized, code: "unauthorized", detail: "Send the token as Authorization: Bearer ….",
                headers: [("WWW-Authenticate", "Bearer")])
        }
    }

    /// Takes the same time, wherever the two differ.
    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        if left.count != right.count { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// Why the file with the token for actions cannot be used; names the setting and the file.
public struct AdminTokenError: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
