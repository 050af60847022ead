import Glibc
import JSON

/// A line of the file with the access keys: whose key it is, and what it permits.
public final class AccessEntry: Sendable {
    /// 1 to 64 of `[A-Za-z0-9._-]`; for logs and metrics.
    public let name: String
    public let digest: AccessDigest
    public let roles: AccessRoles
    /// What the keys of the store begin with that it may be used for; empty: all keys.
    public let prefixes: [[UInt8]]
    /// Seconds since 1970; nil: never.
    public let expiresAt: UInt64?
    private let expiresAtNanoseconds: UInt64
    /// The prefixes one after the other, each behind its length in two bytes: so that a key is compared in one array.
    private let packed: [UInt8]

    /// - Parameter prefixes: each of up to 65,535 bytes.
    public init(name: String, digest: AccessDigest, roles: AccessRoles, prefixes: [[UInt8]], expiresAt: UInt64?) {
        self.name = name
        self.digest = digest
        self.roles = roles
        self.prefixes = prefixes
        self.expiresAt = expiresAt
        self.packed = prefixes.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 0xFF)] + $0 }
        let (nanoseconds, isBeyond) = (expiresAt ?? .max).multipliedReportingOverflow(by: 1_000_000_000)
        self.expiresAtNanoseconds = isBeyond ? .max : nanoseconds
    }

    /// Whether it is not accepted any more.
    ///
    /// - Parameter nanoseconds: since 1970.
    public func isExpired(at nanoseconds: UInt64) -> Bool { nanoseconds >= self.expiresAtNanoseconds }

    /// Whether it is limited to keys that begin with one of its ``prefixes``.
    public var isLimited: Bool { !self.packed.isEmpty }

    /// Whether it may be used for a key.
    public func permits(_ key: UnsafeRawBufferPointer) -> Bool {
        if self.packed.isEmpty { return true }
        guard let start = key.baseAddress else { return false }
        // Each prefix is compared within its own length, and only if the key is as long.
        return unsafe self.packed.withUnsafeBytes { packed in
            guard let begin = packed.baseAddress else { return false }
            var index = 0
            while index < packed.count {
                let length = unsafe Int(packed[index]) << 8 | Int(packed[index &+ 1])
                index &+= 2
                if length <= key.count, unsafe memcmp(start, begin + index, length) == 0 { return true }
                index &+= length
            }
            return false
        }
    }

    /// Its line of the file, without a newline.
    public var line: String {
        var line = "\(self.name) sha256:\(self.digest.digits) roles=\(self.roles.text)"
        if !self.prefixes.isEmpty {
            line += " prefixes=" + self.prefixes.map(KeyPrefix.text).joined(separator: ",")
        }
        if let expiresAt = self.expiresAt { line += " expires=\(AccessExpiry.text(expiresAt))" }
        return line
    }
}

/// An expiry time in the file: `2027-01-01T00:00:00Z`.
public enum AccessExpiry {
    /// - Parameter seconds: since 1970, up to the year 2554.
    public static func text(_ seconds: UInt64) -> String {
        let text = Timestamp.rfc3339(nanosecondsSince1970: min(seconds, UInt64.max / 1_000_000_000) * 1_000_000_000)
        return "\(text.prefix(19))Z"
    }

    /// - Returns: seconds since 1970; nil for any other form, for a day that does not exist, and for years before 1970
    ///   and from 2554 on.
    public static func seconds(_ text: [UInt8]) -> UInt64? {
        guard text.count == 20, let year = self.number(text[0..<4]), let month = self.number(text[5..<7]),
            let day = self.number(text[8..<10]), let hour = self.number(text[11..<13]),
            let minute = self.number(text[14..<16]), let second = self.number(text[17..<19]),
            [text[4], text[7], text[10], text[13], text[16], text[19]] == Array("--T::Z".utf8)
        else { return nil }
        guard (1970..<2554).contains(year), (1...12).contains(month), (1...self.days(in: month, year)).contains(day),
            hour < 24, minute < 60, second < 60
        else { return nil }
        let days =
            (1970..<year).reduce(0) { $0 + (self.isLeap($1) ? 366 : 365) }
            + (1..<month).reduce(0) { $0 + self.days(in: $1, year) } + day - 1
        return days * 86_400 + hour * 3_600 + minute * 60 + second
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for digit in digits {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= digit else { return nil }
            number = number * 10 + UInt64(digit - UInt8(ascii: "0"))
        }
        return number
    }

    private static func isLeap(_ year: UInt64) -> Bool {
        year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
    }

    private static func days(in month: UInt64, _ year: UInt64) -> UInt64 {
        switch month {
        case 2: self.isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
