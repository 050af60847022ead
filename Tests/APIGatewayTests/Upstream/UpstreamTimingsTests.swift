import TestSupport
import Testing

@testable import APIGateway
@testable import HTTPServing
@testable import RequestTracing

@Suite("The timings of a request", .timeLimit(.minutes(1)))
struct UpstreamTimingsTests {
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
