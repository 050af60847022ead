import ServiceSettings
import TestSupport
import Testing

@Suite("An IP address", .timeLimit(.minutes(1)))
struct IPAddressTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("2001:DB8::1", "2001:db8::1"), ("::", "::"), ("::1", "::1"), ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ])
    func `is read and written`(text: String, written: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == written)
        #expect(IPAddress(written) == address)
    }

    @Test(arguments: [
        "", "1", "192.0.2", "192.0.2.256", "192.0.2.1:80", "[::1]", "::1%lo", " ::1", "1.2.3.4\0", "localhost",
        "0x7f.0.0.1",
        "127.1", "1:2:3:4:5:6:7:8:9", String(repeating: "1", count: 46),
    ])
    func `is nothing else`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `is of the loopback interface, of IPv4, and of a network`() throws {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            #expect(try #require(IPAddress(text)).isLoopback, "\(text)")
        }
        for text in ["126.0.0.1", "128.0.0.1", "::2", "::", "::127.0.0.1"] {
            #expect(try !#require(IPAddress(text)).isLoopback, "\(text)")
        }
        let networks = try ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8:0:1::1"].map {
            try #require(IPAddress($0)).network
        }
        #expect(Set(networks).count == 4)
        #expect(networks[2] == networks[3])
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"), ("192.0.2.1", "192.0.2.1", "192.0.2.0"),
        ("192.0.2.1/32", "::ffff:192.0.2.1", "192.0.2.2"), ("0.0.0.0/0", "1.2.3.4", "::1"),
        ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"), ("::/0", "1.2.3.4", nil), ("::1", "::1", "::2"),
        ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"),
    ])
    func `is in a range`(range: String, inside: String, outside: String?) throws {
        let range = try #require(AddressRange(range))
        #expect(range.contains(try #require(IPAddress(inside))))
        if let outside { #expect(!range.contains(try #require(IPAddress(outside)))) }
        #expect(AddressRange(range.description) == range)
    }

    @Test(arguments: [
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "::/129",
        "2001:db8::1/64", "10.0.0.0/ 8", "all",
    ])
    func `is in no range of this form`(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test func `is in a range if and only if the leading bits are the same`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<1_000 {
            let address = IPAddress(bits: UInt128.random(in: 0 ... .max, using: &random))
            let bits = Int.random(in: 0...128, using: &random)
            let first = bits == 0 ? 0 : (address.bits >> UInt128(128 - bits)) << UInt128(128 - bits)
            let range = try #require(AddressRange("\(IPAddress(bits: first))/\(bits)"), "seed \(seed)")
            #expect(range.contains(address), "seed \(seed)")
            guard bits > 0 else { continue }
            let other = IPAddress(bits: address.bits ^ (1 << UInt128(128 - Int.random(in: 1...bits, using: &random))))
            #expect(!range.contains(other), "seed \(seed)")
        }
    }
}
