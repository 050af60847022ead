import NIOEmbedded
import NIOHTTP1
import Testing

@testable import HTTP1
@testable import HTTPServing
@testable import RequestTracing
@testable import Telemetry

@Suite(.timeLimit(.minutes(1)))
struct SlowRequestsTests {
    private static let slot = SlowRequests.slotNanoseconds

    private static func request(
        _ handler: Int, _ duration: UInt64, measures: RequestMeasures = RequestMeasures(), receive: UInt64 = 0
    ) throws -> SlowRequest {
        let trace = try #require(
            TraceContext(traceID: String(repeating: "a", count: 32), spanID: String(repeating: "b", count: 16)))
        let problem = Problem(.serviceUnavailable, code: "overloaded", detail: "")
        let request = HTTPRequest(
            sample: .get, target: "/", identity: RequestIdentity(id: "r-\(duration)", trace: trace),
            eventLoop: EmbeddedEventLoop())
        request.begin(now: 100)
        request.completedAtNanoseconds = 100 + receive
        request.fail(with: problem)
        request.measures = measures
        return SlowRequest(
            request, status: 503, handler: handler, startedAtNanoseconds: 0, durationNanoseconds: duration,
            responseBytes: 7)
    }

    /// Offers durations to a loop as its server does.
    private static func offer(_ view: SlowRequestsView, _ handler: Int, _ durations: some Sequence<UInt64>) throws {
        for duration in durations where view.isSlow(handler: handler, durationNanoseconds: duration) {
            view.note(try self.request(handler, duration))
        }
    }

    @Test func `the slowest of each handler over all event loops are kept, whatever others do`() throws {
        let slow = SlowRequests(handlers: ["set", "get"], nowNanoseconds: 0)
        let views = [slow.makeView(), slow.makeView()]
        var generator = SystemRandomNumberGenerator()
        let sets = (1...4_000).map { UInt64($0) }.shuffled(using: &generator)
        try Self.offer(views[0], 0, sets.prefix(2_000))
        try Self.offer(views[1], 0, sets.suffix(2_000))
        try Self.offer(views[1], 1, [3, 1, 2])
        let kept = slow.slowest(limit: 512, nowNanoseconds: 5)
        #expect(
            kept.filter { $0.handler == 0 }.map(\.durationNanoseconds) == (3_985...4_000).reversed().map { UInt64($0) })
        #expect(kept.filter { $0.handler == 1 }.map(\.durationNanoseconds) == [3, 2, 1])
        #expect(slow.slowest(of: 1, limit: 2, nowNanoseconds: 5).map(\.durationNanoseconds) == [3, 2])
        #expect(slow.slowest(limit: 1, nowNanoseconds: 5).map(\.durationNanoseconds) == [4_000])
    }

    @Test func `a fast request is not worth a lock once there are enough slow ones`() throws {
        let view = SlowRequests(handlers: ["set"], nowNanoseconds: 0).makeView()
        try Self.offer(view, 0, 101...116)
        #expect(!view.isSlow(handler: 0, durationNanoseconds: 101))
        #expect(view.isSlow(handler: 0, durationNanoseconds: 102))
        view.rotate(nowNanoseconds: Self.slot)
        #expect(view.isSlow(handler: 0, durationNanoseconds: 1))
    }

    @Test func `the window is of five to ten minutes`() throws {
        let slow = SlowRequests(handlers: ["set"], nowNanoseconds: 1_000)
        let view = slow.makeView()
        func shown(_ now: UInt64) -> [UInt64] { slow.slowest(limit: 9, nowNanoseconds: now).map(\.durationNanoseconds) }
        try Self.offer(view, 0, [70])
        view.rotate(nowNanoseconds: 1_000 + Self.slot)
        try Self.offer(view, 0, [60])
        #expect(shown(1_000 + Self.slot) == [70, 60])
        #expect(shown(1_000 + 2 * Self.slot - 1) == [70, 60])
        // Before the loop's next sweep and after it.
        #expect(shown(1_000 + 2 * Self.slot) == [60])
        view.rotate(nowNanoseconds: 1_000 + 2 * Self.slot)
        #expect(shown(1_000 + 2 * Self.slot) == [60])
        // A loop that slept for two slots has nothing to show.
        view.rotate(nowNanoseconds: 1_000 + 5 * Self.slot)
        #expect(shown(1_000 + 5 * Self.slot).isEmpty)
        #expect(slow.windowSeconds(nowNanoseconds: 1_000 + Self.slot / 2) == 150)
        #expect(slow.windowSeconds(nowNanoseconds: 1_000 + 3 * Self.slot) == 300)
        #expect(slow.windowSeconds(nowNanoseconds: 1_000 + 4 * Self.slot - 1_000_000_000) == 599)
    }

    @Test func `stages add up to the duration, and what is in none is the service's own`() throws {
        var measures = RequestMeasures()
        measures.add("queue_ms", .nanoseconds(10))
        measures.add("fsync_ms", .nanoseconds(500))
        measures.add("overhead_ms", .nanoseconds(77))
        measures.add("batch_writes", .count(3))
        let request = try Self.request(0, 1_000, measures: measures, receive: 90)
        let stages = request.stageNanoseconds.map { "\($0.stage)=\($0.nanoseconds)" }
        #expect(stages == ["receive=90", "queue=10", "fsync=500", "overhead=400"])
        #expect(request.count("batch_writes") == 3 && request.count("attempts") == nil)
        // Clocks that were read at different moments never make a stage negative.
        #expect(try Self.request(0, 5, measures: measures, receive: 90).stageNanoseconds.last?.nanoseconds == 0)
    }
}
