import Testing

@testable import ServiceSettings

@Suite("Listen addresses", .timeLimit(.minutes(1)))
struct ListenAddressTests {
    @Test(arguments: ["127.0.0.1:8081", "0.0.0.0:0", "[::1]:65535", "[::]:8080", "localhost:8081", "kv_1.local:80"])
    func `a valid address prints as it was written`(text: String) throws {
        let address = try #require(ListenAddress(text))
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", ":", "127.0.0.1", ":8080", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:8 ",
        "::1:8080", "[::1]", "[::1:8080", "[127.0.0.1]:80", "[]:80", "256.0.0.1:80", "1.2.3:80", "a b:80", "é:80",
        "http://localhost:80", "127.0.0.1:٣",
    ])
    func `anything else is refused`(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test func `all interfaces are reached over loopback`() {
        #expect(ListenAddress(host: "0.0.0.0", port: 1).reachableFromThisHost.description == "127.0.0.1:1")
        #expect(ListenAddress(host: "::", port: 2).reachableFromThisHost.description == "[::1]:2")
        #expect(ListenAddress(host: "10.0.0.7", port: 3).reachableFromThisHost.description == "10.0.0.7:3")
    }
}
