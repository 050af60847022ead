import NIOCore
import NIOEmbedded
import Testing

@testable import APIGateway
@testable import HTTPServing
@testable import RequestTracing

extension UpstreamExchange {
    static func sample(
        _ operation: UpstreamOperation = .get,
        key: [UInt8] = [1],
        value: [UInt8] = [],
        wantsTiming: Bool = false,
        trace: TraceContext = ForwarderHarness.trace,
        deadlineNanoseconds: UInt64 = 0
    ) -> UpstreamExchange {
        UpstreamExchange(
            operation: operation,
            key: key,
            value: ByteBuffer(bytes: value),
            identity: RequestIdentity(id: "request-1", trace: trace),
            wantsTiming: wantsTiming,
            deadlineNanoseconds: deadlineNanoseconds
        ) { _, _ in }
    }
}

@Suite struct `A request to kv-service` {
    private func text(_ exchange: UpstreamExchange, timeoutMilliseconds: UInt64 = 250) -> String {
        var buffer = ByteBuffer()
        UpstreamRequestEncoder(authority: "[::1]:8081")
            .encodeHead(exchange, timeoutMilliseconds: timeoutMilliseconds, into: &buffer)
        return String(buffer: buffer)
    }

    private static let ids = """
        X-Request-Id: request-1\r
        traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r
        tracestate: vendor=1\r
        X-Request-Timeout-Ms: 250\r

        """

    @Test func `has these bytes`() {
        #expect(
            self.text(.sample(.get, key: Array("a/ü".utf8)))
                == "GET /kv/get?key=a%2F%C3%BC HTTP/1.1\r\nHost: [::1]:8081\r\nAccept: application/octet-stream\r\n"
                + Self.ids + "\r\n"
        )
        #expect(
            self.text(.sample(.set, key: Array("k".utf8), value: [1, 2, 3]))
                == "POST /kv/set?key=k HTTP/1.1\r\nHost: [::1]:8081\r\nContent-Type: application/octet-stream\r\n"
                + "Content-Length: 3\r\n" + Self.ids + "\r\n"
        )
        #expect(
            self.text(.sample(.delete, key: Array("k".utf8), wantsTiming: true))
                == "DELETE /kv/delete?key=k HTTP/1.1\r\nHost: [::1]:8081\r\n" + Self.ids
                + "X-Request-Timing: 1\r\n\r\n"
        )
        #expect(self.text(.sample(.probe, key: [])).hasPrefix("GET /readyz HTTP/1.1\r\nHost: [::1]:8081\r\n"))
    }

    @Test func `says the length of an empty value`() {
        #expect(self.text(.sample(.set, value: [])).contains("\r\nContent-Length: 0\r\n"))
    }

    @Test func `says no state of a trace that has none, and a millisecond where less is left`() throws {
        let trace = try #require(
            TraceContext(traceID: "0af7651916cd43dd8448eb211c80319c", spanID: "b7ad6b7169203331")
        )
        let text = self.text(.sample(trace: trace), timeoutMilliseconds: 0)
        #expect(!text.contains("tracestate"))
        #expect(text.contains("-00\r\n"))
        #expect(text.contains("\r\nX-Request-Timeout-Ms: 1\r\n"))
    }

    @Test func `escapes every byte of a key that does not stand for itself`() {
        let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        for byte in UInt8.min ... .max {
            let digits = String(byte, radix: 16, uppercase: true)
            let expected =
                unreserved.contains(byte)
                ? String(UnicodeScalar(byte)) : "%" + String(repeating: "0", count: 2 - digits.count) + digits
            #expect(self.text(.sample(key: [byte])).hasPrefix("GET /kv/get?key=\(expected) HTTP/1.1\r\n"))
        }
    }
}

@Suite struct `The address of kv-service` {
    @Test(arguments: [
        ("http://127.0.0.1:8081", "127.0.0.1:8081"), ("http://[::1]:80/", "[::1]:80"), ("http://kv:1", "kv:1"),
        ("http://kv-service", "kv-service:80"), ("http://[::1]", "[::1]:80"),
    ])
    func `is taken as host and port`(text: String, authority: String) throws {
        let address = try #require(UpstreamAddress(text))
        #expect(address.authority == authority)
        #expect(address.description == "http://\(authority)")
    }

    @Test(arguments: [
        "", "127.0.0.1:8081", "https://127.0.0.1:8081", "http://", "http://:80", "http://kv:0", "http://kv:65536",
        "http://kv:8081/kv", "http://user@kv:8081", "http://kv:8081?x", "http://kv:8081#x", "http://k v:1",
        "http://::1:1",
        "HTTP://kv:1", "http://kv:8081//",
    ])
    func `is refused when a part of it would be ignored`(text: String) {
        #expect(UpstreamAddress(text) == nil)
    }

    @Test func `is a socket address if it is one already`() {
        #expect(UpstreamAddress("http://127.0.0.1:8081")?.socketAddress?.port == 8081)
        #expect(UpstreamAddress("http://[::1]:8081")?.socketAddress != nil)
        #expect(UpstreamAddress("http://localhost:8081")?.socketAddress == nil)
    }
}

@Suite struct `The list of deadlines` {
    private func order(_ list: inout DeadlineList, until now: UInt64) -> [UInt64] {
        var order: [UInt64] = []
        while let exchange = list.popExpired(now: now) { order.append(exchange.expiresAtNanoseconds) }
        return order
    }

    @Test func `gives what has expired in order of time, and nothing else`() {
        var list = DeadlineList()
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        var kept: [UpstreamExchange] = []
        for _ in 0..<200 {
            let exchange = UpstreamExchange.sample()
            exchange.expiresAtNanoseconds = .random(in: 1...100, using: &random)
            list.insert(exchange)
            kept.append(exchange)
        }
        for _ in 0..<80 {
            list.remove(kept.remove(at: Int.random(in: 0..<kept.count, using: &random)))
        }
        let expected = kept.map(\.expiresAtNanoseconds).sorted()
        #expect(self.order(&list, until: 50) == expected.filter { $0 <= 50 }, "seed \(seed)")
        #expect(self.order(&list, until: 100) == expected.filter { $0 > 50 }, "seed \(seed)")
        #expect(list.first == nil)
    }

    @Test func `fires for the first deadline, also when an earlier one comes later`() throws {
        let eventLoop = EmbeddedEventLoop()
        var expired: [String] = []
        let sweeper = DeadlineSweeper(eventLoop: eventLoop) { expired.append(String(decoding: $0.key, as: UTF8.self)) }
        let late = UpstreamExchange.sample(key: Array("late".utf8))
        let early = UpstreamExchange.sample(key: Array("early".utf8))
        let removed = UpstreamExchange.sample(key: Array("removed".utf8))
        // The sweeper uses the real clock: these times are long past, so only the timers decide here.
        sweeper.insert(late, expiresAtNanoseconds: 300, now: 0)
        sweeper.insert(removed, expiresAtNanoseconds: 100, now: 0)
        sweeper.insert(early, expiresAtNanoseconds: 200, now: 0)
        sweeper.remove(removed)
        eventLoop.advanceTime(by: .nanoseconds(99))
        #expect(expired.isEmpty)
        eventLoop.advanceTime(by: .nanoseconds(1))
        #expect(expired == ["early", "late"])
        try eventLoop.syncShutdownGracefully()
    }
}

@Suite struct `The timings of a request` {
    @Test(
        arguments: [
            (nil, 1_234_567, 0, "upstream;dur=1.235, overhead;dur=0.000"),
            ("", 0, 999_499, "upstream;dur=0.000, overhead;dur=0.999"),
            ("fsync;dur=2", 10_000_000, 50_000, "fsync;dur=2, upstream;dur=10.000, overhead;dur=0.050"),
        ] as [(String?, UInt64, UInt64, String)])
    func `are milliseconds with three decimals`(entries: String?, upstream: UInt64, gateway: UInt64, text: String) {
        #expect(
            ServerTiming.text(upstreamEntries: entries, upstreamNanoseconds: upstream, overheadNanoseconds: gateway)
                == text
        )
    }

    @Test(
        arguments: [
            (3_000_000_000, 2_950), (1_000_000_000, 950), (500_000_000, 450), (100_000_000, 90), (10_000_000, 9),
            (999_999, 0), (0, 0),
        ] as [(UInt64, UInt64)])
    func `kv-service gives up a little before the gateway does`(remainingNanoseconds: UInt64, milliseconds: UInt64) {
        #expect(
            UpstreamRequestEncoder.timeoutMilliseconds(remainingNanoseconds: remainingNanoseconds) == milliseconds)
    }
}
