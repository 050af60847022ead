import Glibc

/// An IPv4 or IPv6 address. An IPv4 address and the IPv6 address that maps it (`::ffff:192.0.2.1`) are the same.
public struct IPAddress: Sendable, Hashable {
    private static let mapped: UInt128 = 0xFFFF_0000_0000

    /// As an IPv6 address.
    public let bits: UInt128

    public init(bits: UInt128) { self.bits = bits }

    /// Parses `192.0.2.1` or `2001:db8::1`; nil for any other text, also with a port, a zone, brackets or blanks.
    public init?(_ text: some StringProtocol) {
        // The longest text of an address has 45 characters.
        guard (2...45).contains(text.utf8.count) else { return nil }
        let text = String(text)
        // With a NUL, the C library would not see the end.
        guard !text.utf8.contains(0) else { return nil }
        var four = in_addr()
        if unsafe inet_pton(AF_INET, text, &four) == 1 {
            self.init(bits: Self.mapped | UInt128(UInt32(bigEndian: four.s_addr)))
            return
        }
        var six = in6_addr()
        guard unsafe inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        // An address has 16 bytes, in the order of the network.
        let bits = unsafe withUnsafeBytes(of: &six) { unsafe $0.loadUnaligned(as: UInt128.self) }
        self.init(bits: UInt128(bigEndian: bits))
    }

    public var isIPv4: Bool { self.bits >> 32 == Self.mapped >> 32 }

    /// Whether it is on the loopback interface.
    public var isLoopback: Bool {
        self.isIPv4 ? (self.bits >> 24) & 0xFF == 127 : self.bits == 1
    }

    /// What one client is taken for: an IPv4 address, or the 64 bits of an IPv6 network, all of which a client can use.
    public var network: UInt128 { self.isIPv4 ? self.bits : (self.bits >> 64) << 64 }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        if self.isIPv4 {
            return (0..<4).map { String((self.bits >> (24 - 8 * UInt128($0))) & 0xFF) }.joined(separator: ".")
        }
        var bits = self.bits.bigEndian
        let text = unsafe withUnsafeBytes(of: &bits) { address in
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 46) { text in
                // An address needs at most 46 bytes, with the NUL at the end.
                unsafe inet_ntop(AF_INET6, address.baseAddress, text.baseAddress, 46).map { unsafe String(cString: $0) }
            }
        }
        return text ?? "?"
    }
}

/// The addresses that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`. One address alone is a range too.
public struct AddressRange: Sendable, Hashable {
    public let first: IPAddress
    /// How many bits are the same, of the 128 of an IPv6 address.
    public let prefixBits: Int

    /// Parses an address, or one with `/` and the number of bits that are the same; nil for any other text, and if other
    /// bits than those are set.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first.flatMap({ IPAddress($0) }) else { return nil }
        // The way of writing decides: `::ffff:10.0.0.0/104` has the bits of an IPv6 address.
        let most = parts[0].contains(":") ? 128 : 32
        var bits = most
        if parts.count == 2 {
            guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
                let number = Int(parts[1]), number <= most
            else { return nil }
            bits = number
        }
        self.first = address
        self.prefixBits = bits + 128 - most
        guard address.bits & Self.mask(self.prefixBits) == address.bits else { return nil }
    }

    public func contains(_ address: IPAddress) -> Bool {
        address.bits & Self.mask(self.prefixBits) == self.first.bits
    }

    private static func mask(_ bits: Int) -> UInt128 { bits == 0 ? 0 : UInt128.max << UInt128(128 - bits) }
}

extension AddressRange: CustomStringConvertible {
    public var description: String {
        self.first.isIPv4 && self.prefixBits >= 96
            ? "\(self.first)/\(self.prefixBits - 96)" : "\(self.first)/\(self.prefixBits)"
    }
}

extension SettingKind where Value == [AddressRange] {
    /// Ranges of addresses, with commas between several.
    public static var addressRanges: SettingKind {
        SettingKind(
            placeholder: "ranges",
            expectation: "addresses or ranges such as 10.0.0.0/8,2001:db8::/32,192.0.2.1, with only leading bits set",
            parse: { text in
                var ranges: [AddressRange] = []
                for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                    guard let range = AddressRange(part) else { return nil }
                    ranges.append(range)
                }
                return ranges
            }
        )
    }
}
