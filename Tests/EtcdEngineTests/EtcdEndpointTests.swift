import EtcdEngine
import Testing

@Suite("An endpoint of etcd", .timeLimit(.minutes(1)))
struct EtcdEndpointTests {
    @Test(arguments: [
        ("127.0.0.1:2379", "127.0.0.1", 2_379, "127.0.0.1:2379"),
        ("http://etcd-1.example:80", "etcd-1.example", 80, "etcd-1.example:80"),
        ("[::1]:65535", "::1", 65_535, "[::1]:65535"), ("http://[fe80::1]:1", "fe80::1", 1, "[fe80::1]:1"),
    ])
    func `is a host and a port`(_ text: String, _ host: String, _ port: Int, _ description: String) throws {
        let endpoint = try #require(EtcdEndpoint(text))
        #expect(endpoint.host == host && endpoint.port == port && endpoint.description == description)
        #expect(EtcdEndpoint(description) == endpoint)
    }

    @Test(arguments: [
        "", ":2379", "host", "host:", "host:0", "host:65536", "host:+1", "host:01", "host: 1", "::1:2379", "[]:1",
        "a b:1",
        "https://host:1", "http://user@host:1", "http://host:1/", "host:1 ", "[::1:1",
    ])
    func `is nothing else`(_ text: String) { #expect(EtcdEndpoint(text) == nil) }
}
