import Testing

@testable import APIGateway
@testable import HTTPServing
@testable import RequestTracing

@Suite("The address of kv-service", .timeLimit(.minutes(1)))
struct UpstreamAddressTests {
    @Test(arguments: [
        ("http://127.0.0.1:8081", "127.0.0.1:8081"), ("http://[::1]:80/", "[::1]:80"), ("http://kv:1", "kv:1"),
        ("http://kv-service", "kv-service:80"), ("http://[::1]", "[::1]:80"), ("https://kv-service", "kv-service:443"),
        ("https://[::1]:8081/", "[::1]:8081"),
    ])
    func `is taken as host and port`(text: String, authority: String) throws {
        let address = try #require(UpstreamAddress(text))
        #expect(address.authority == authority)
        #expect(address.isSecure == text.hasPrefix("https:"))
        #expect(address.description == "\(address.isSecure ? "https" : "http")://\(authority)")
    }

    @Test(arguments: [
        "", "127.0.0.1:8081", "https//127.0.0.1:8081", "https://", "https://kv:0", "http://", "http://:80",
        "http://kv:0", "http://kv:65536", "http://kv:8081/kv", "http://user@kv:8081", "http://kv:8081?x",
        "http://kv:8081#x",
        "http://k v:1", "http://::1:1", "HTTP://kv:1", "http://kv:8081//",
    ])
    func `is refused when a part of it would be ignored`(text: String) {
        #expect(UpstreamAddress(text) == nil)
    }
}
