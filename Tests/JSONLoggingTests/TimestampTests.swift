import Glibc
import SystemSupport
import TestSupport
import Testing

@testable import JSON

@Suite("A timestamp", .timeLimit(.minutes(1)))
struct TimestampTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"),
        (999_999, "1970-01-01T00:00:00.000Z"),
        (1_000_000, "1970-01-01T00:00:00.001Z"),
        (951_782_399_999_999_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
        (951_868_800_000_000_000, "2000-03-01T00:00:00.000Z"),
        (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000Z"),
        (1_798_761_599_123_000_000, "2026-12-31T23:59:59.123Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
        (UInt64.max, "2554-07-21T23:34:33.709Z"),
    ])
    func `is the calendar's date and time`(_ nanoseconds: UInt64, _ text: String) {
        #expect(Timestamp.rfc3339(nanosecondsSince1970: nanoseconds) == text)
    }

    @Test func `agrees with the C library on any instant`() {
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<20_000 {
            let nanoseconds = generator.next()
            var seconds = time_t(nanoseconds / 1_000_000_000)
            var fields = tm()
            gmtime_r(&seconds, &fields)
            var buffer = [CChar](repeating: 0, count: 64)
            let length = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%S", &fields)
            let date = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let milliseconds = String(1_000 + nanoseconds / 1_000_000 % 1_000).dropFirst()
            #expect(Timestamp.rfc3339(nanosecondsSince1970: nanoseconds) == "\(date).\(milliseconds)Z")
        }
    }

    @Test(arguments: [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.123, "2023-11-14T22:13:20.123Z"),
        (-1.0, "1970-01-01T00:00:00.000Z"),
        (.nan, "1970-01-01T00:00:00.000Z"),
        (-.infinity, "1970-01-01T00:00:00.000Z"),
        (.infinity, "2554-07-21T23:34:33.709Z"),
        (1e300, "2554-07-21T23:34:33.709Z"),
    ])
    func `of any number of seconds is a date`(_ seconds: Double, _ text: String) {
        #expect(Timestamp.rfc3339(secondsSince1970: seconds) == text)
    }

    @Test func `of now is between the clock before and after`() {
        let before = WallClock.nanoseconds()
        let now = Timestamp.nowRFC3339()
        let after = WallClock.nanoseconds()
        #expect(Timestamp.rfc3339(nanosecondsSince1970: before) <= now)
        #expect(now <= Timestamp.rfc3339(nanosecondsSince1970: after))
        #expect(UInt64(time(nil)) - before / 1_000_000_000 < 60)
    }

    @Test func `comes as a member without a string in between`() {
        var writer = JSONWriter()
        writer.object { $0.memberTimestamp("time", nanosecondsSince1970: 1_000_000) }
        #expect(writer.bytes == Array(#"{"time":"1970-01-01T00:00:00.001Z"}"#.utf8))
    }

    @Test func `of the monotonic clock does not go back`() {
        var last = MonotonicClock.nanoseconds()
        for _ in 0..<10_000 {
            let now = MonotonicClock.nanoseconds()
            #expect(now >= last)
            last = now
        }
    }

    @Test(arguments: [-60, -5, 5, 86_400]) func `of an instant of the monotonic clock is as far from now`(
        seconds: Int64
    ) {
        let distance = seconds * 1_000_000_000
        // Not before the machine was started: such an instant has no number.
        let instant = Int64(MonotonicClock.nanoseconds()) + distance
        if instant < 0 { return }
        let before = Int64(WallClock.nanoseconds())
        let found = Int64(WallClock.nanoseconds(ofMonotonic: UInt64(instant)))
        #expect((-1_000_000_000...10_000_000_000).contains(found - before - distance))
    }
}
