import ServiceSettings
import TestSupport
import Testing

@testable import HTTPServing

@Suite("The client behind trusted proxies", .timeLimit(.minutes(1)))
struct TrustedProxiesTests {
    private static let proxies = TrustedProxies(["10.0.0.0/8", "2001:db8::/32"].compactMap { AddressRange($0) })

    @Test(arguments: [
        (["192.0.2.1"], "192.0.2.1"),
        // What the client has sent itself is to the left of what the first proxy appends.
        (["1.1.1.1, 192.0.2.1"], "192.0.2.1"), (["1.1.1.1", "192.0.2.1"], "192.0.2.1"),
        (["1.1.1.1, 192.0.2.1, 10.1.1.1"], "192.0.2.1"), (["192.0.2.1", "10.1.1.1", "2001:db8::5"], "192.0.2.1"),
        // All are proxies: the first of them is as far as one can look.
        (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        (["192.0.2.1:4711"], "192.0.2.1"), (["[2001:db9::1]"], "2001:db9::1"), (["[2001:db9::1]:80"], "2001:db9::1"),
        (["  192.0.2.1\t,\t10.1.1.1 "], "192.0.2.1"), (["::ffff:10.0.0.1"], "10.0.0.1"),
        // Nobody knows what is to the left of nonsense.
        (["1.1.1.1, nonsense, 10.1.1.1"], "10.1.1.1"), (["1.1.1.1, , 10.1.1.1"], "10.1.1.1"),
        (["nonsense"], nil), ([""], nil), (["192.0.2.1:"], nil), (["192.0.2.1:99999x"], nil), (["[192.0.2.1"], nil),
    ])
    func `is the last address that is not a proxy's`(fields: [String], client: String?) {
        #expect(Self.proxies.client(in: fields)?.description == client)
    }

    @Test func `is never to the left of an address that is no proxy's, whatever is there`() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let junk = String(decoding: HostileText.bytes(using: &random), as: UTF8.self)
            let proxies = (0..<Int.random(in: 0...3, using: &random)).map { ", 10.0.0.\($0)" }.joined()
            #expect(
                Self.proxies.client(in: [junk, "\(junk),192.0.2.1\(proxies)"])?.description == "192.0.2.1",
                "seed \(seed)")
        }
    }

    @Test func `changes with each request of a connection`() {
        var client = ConnectionClient(
            address: "127.0.0.1:1", ipAddress: IPAddress("127.0.0.1"), isLoopback: true, isTrustedProxy: true)
        client.note = [1]
        client.take(forwardedFor: IPAddress("192.0.2.1"))
        #expect(client.address == "192.0.2.1:0" && client.proxyAddress == "127.0.0.1:1" && client.note.isEmpty)
        #expect(!client.isLoopback)
        client.take(forwardedFor: IPAddress("127.0.0.5"))
        #expect(client.isLoopback)
        client.take(forwardedFor: nil)
        #expect(client.address == "127.0.0.1:1" && client.proxyAddress == nil && client.isLoopback)
        // The loopback interface of the proxy's machine is not that of this one.
        var remote = ConnectionClient(
            address: "10.0.0.1:1", ipAddress: IPAddress("10.0.0.1"), isLoopback: false, isTrustedProxy: true)
        remote.take(forwardedFor: IPAddress("127.0.0.1"))
        #expect(!remote.isLoopback)
        var other = ConnectionClient(address: "127.0.0.1:1", ipAddress: IPAddress("127.0.0.1"), isLoopback: true)
        other.take(forwardedFor: IPAddress("192.0.2.1"))
        #expect(other.address == "127.0.0.1:1" && other.isLoopback)
    }
}
