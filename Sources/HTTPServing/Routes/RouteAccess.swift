public import AccessControl
public import HTTP1

/// Which role of an access key a route requires, if the service has access keys.
public struct RouteAccess: Sendable, Equatable {
    /// For `GET`, `HEAD` and `OPTIONS`; nil: none, not even an access key.
    private let reading: AccessRole?
    /// For all other methods.
    private let acting: AccessRole?

    /// Answers everybody: nothing that it tells is a secret, and it changes nothing.
    public static let open = Self(reading: nil, acting: nil)

    public static func role(_ role: AccessRole) -> Self { Self(reading: role, acting: role) }

    /// - Parameter acting: for all methods but `GET`, `HEAD` and `OPTIONS`.
    public static func role(_ role: AccessRole, acting: AccessRole) -> Self { Self(reading: role, acting: acting) }

    /// - Returns: nil if it answers everybody.
    public func role(for method: RequestMethod) -> AccessRole? {
        switch method {
        case .get, .head, .options: self.reading
        default: self.acting
        }
    }
}

/// Why a request was refused because of its access key, as metrics name it.
public enum AccessDenial: String, CaseIterable, Sendable {
    /// There is none.
    case missing
    /// It is not in the table, or no access key at all.
    case unknown
    case expired
    /// It has not the role that the request needs.
    case role
    /// It does not permit a key of the request.
    case prefix
}
