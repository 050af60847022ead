/// What the owner of an access key may do.
public enum AccessRole: String, CaseIterable, Sendable {
    /// Read and watch keys.
    case read
    /// Set, delete and increment keys, and transactions. Does not include ``read``.
    case write
    /// Metrics, and documents below `/admin`: no data.
    case monitor
    /// All that ``monitor`` may, and all actions below `/admin` and backups.
    case admin
}

/// A set of roles.
public struct AccessRoles: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public init(_ role: AccessRole) {
        switch role {
        case .read: self = .read
        case .write: self = .write
        case .monitor: self = .monitor
        case .admin: self = .admin
        }
    }

    public static let read = Self(rawValue: 1)
    public static let write = Self(rawValue: 2)
    public static let monitor = Self(rawValue: 4)
    public static let admin = Self(rawValue: 8)

    /// Whether one of these roles permits what `role` permits.
    public func permits(_ role: AccessRole) -> Bool {
        self.contains(Self(role)) || (role == .monitor && self.contains(.admin))
    }

    /// The roles as they are in the file: `read,write`.
    public var text: String {
        AccessRole.allCases.filter { self.contains(Self($0)) }.map(\.rawValue).joined(separator: ",")
    }
}
