import Glibc

/// A host and a TCP port to listen on or to connect to: `127.0.0.1:8081`, `[::1]:0`, `localhost:8081`.
///
/// Port 0 stands for any free port; the log line `listening` contains the actual address.
public struct ListenAddress: Sendable, Hashable {
    /// An IPv4 address, an IPv6 address without brackets, or a host name.
    public let host: String
    public let port: UInt16

    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Parses `host:port`; nil for any other text. An IPv6 address must be in brackets, and the host is required: all
    /// interfaces are `0.0.0.0` or `[::]`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Self.port(text[text.index(after: colon)...]) else {
            return nil
        }
        let host = text[..<colon]
        if host.first == "[" {
            guard host.last == "]" else { return nil }
            let address = String(host.dropFirst().dropLast())
            guard Self.isIPv6(address) else { return nil }
            self.init(host: address, port: port)
        } else {
            guard Self.isHostNameOrIPv4(host) else { return nil }
            self.init(host: String(host), port: port)
        }
    }

    /// The address at which a client on this host reaches a server that listens here: the loopback address instead of
    /// "all interfaces".
    public var reachableFromThisHost: ListenAddress {
        switch self.host {
        case "0.0.0.0": ListenAddress(host: "127.0.0.1", port: self.port)
        case "::": ListenAddress(host: "::1", port: self.port)
        default: self
        }
    }

    /// Whether only clients on this host can reach it.
    public var isLoopback: Bool {
        self.host == "::1" || self.host == "localhost" || (self.host.hasPrefix("127.") && Self.isIPv4(self.host))
    }

    private static func port(_ digits: Substring) -> UInt16? {
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return UInt16(digits)
    }

    private static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return unsafe inet_pton(AF_INET6, text, &address) == 1
    }

    private static func isHostNameOrIPv4(_ text: Substring) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        var holdsOnlyDigitsAndDots = true
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."): break
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                holdsOnlyDigitsAndDots = false
            default: return false
            }
        }
        return !holdsOnlyDigitsAndDots || Self.isIPv4(String(text))
    }

    private static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return unsafe inet_pton(AF_INET, text, &address) == 1
    }
}

extension ListenAddress: CustomStringConvertible {
    /// The form that ``init(_:)`` parses.
    public var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
