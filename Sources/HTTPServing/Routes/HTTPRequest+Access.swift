public import AccessControl
public import HTTP1
import NIOCore

/// What the access key of a request permits, if the service has access keys.
extension HTTPRequest {
    /// Whose access key it has; nil if it has none that is known, or the service has no access keys.
    public var accessEntry: AccessEntry? { self.client.entry }

    /// Finds out whose access key it has.
    ///
    /// - Parameter head: its bytes.
    func takeAccessKey(_ head: Span<UInt8>, _ access: HTTPServer.Access) {
        let sent = self.fields.authorization
        // Of several, the right one is unknown.
        self.client.take(authorization: head.extracting(sent.count == 1 ? sent.value : 0..<0), access.keys)
    }

    /// Whether its access key has the role that the route requires. Nearly all requests need no more than this.
    func hasRole(wallClockNanoseconds: UInt64) -> Bool {
        guard let entry = self.client.entry, let role = self.route?.access.role(for: self.method) else { return false }
        return entry.roles.permits(role) && !entry.isExpired(at: wallClockNanoseconds)
    }

    /// What its access key is refused for, by the role that the route requires; nil if it is accepted. What a request asks for
    /// is hidden from everybody without an access key, also whether there is such a path and whether the service is ready.
    func accessProblem(_ access: HTTPServer.Access, wallClockNanoseconds: UInt64) -> Problem? {
        let role = self.route?.access.role(for: self.method)
        if self.route != nil, role == nil { return nil }
        guard let entry = self.client.entry else {
            if self.fields.authorization.count == 0 {
                return self.deny(.missing, "Send an access key as Authorization: Bearer ….", access)
            }
            return self.deny(.unknown, "The access key is not known.", access)
        }
        if entry.isExpired(at: wallClockNanoseconds) {
            return self.deny(.expired, "The access key of \(entry.name) has expired.", access)
        }
        guard let role, !entry.roles.permits(role) else { return nil }
        return self.deny(.role, Self.lacking(role, entry))
    }

    /// Whether its access key is still accepted, for a request that waits.
    func isStillPermitted(_ access: HTTPServer.Access, wallClockNanoseconds: UInt64) -> Bool {
        guard self.route?.access.role(for: self.method) != nil else { return true }
        return self.client.findAgain(access.keys) && self.hasRole(wallClockNanoseconds: wallClockNanoseconds)
    }

    private func deny(_ denial: AccessDenial, _ detail: String, _ access: HTTPServer.Access) -> Problem {
        self.denial = denial
        return .unauthorized(detail, realm: access.realm)
    }

    /// Notes why it is refused.
    ///
    /// - Returns: 403 `forbidden`.
    public func deny(_ denial: AccessDenial, _ detail: String, applied: Problem.Applied? = nil) -> Problem {
        self.denial = denial
        return .forbidden(detail, applied: applied)
    }

    /// - Throws: 403 `forbidden` if its access key has not a role that the request turned out to need.
    public func require(_ role: AccessRole, applied: Problem.Applied?) throws(Problem) {
        guard let entry = self.accessEntry, !entry.roles.permits(role) else { return }
        throw self.deny(.role, Self.lacking(role, entry), applied: applied)
    }

    private static func lacking(_ role: AccessRole, _ entry: AccessEntry) -> String {
        "The access key of \(entry.name) has not the role \(role.rawValue), which this request needs."
    }
}

extension HTTPServer {
    /// The access keys that a service accepts.
    public final class Access: Sendable {
        public let keys: AccessKeys
        /// The name of the service, for `WWW-Authenticate`.
        public let realm: String

        public init(keys: AccessKeys, realm: String) {
            self.keys = keys
            self.realm = realm
        }
    }
}
