import Testing

@testable import PrometheusMetrics

@Suite("The formats besides the text", .timeLimit(.minutes(1)))
struct FormatTests {
    private func registry() -> MetricsRegistry {
        let registry = MetricsRegistry()
        let duration = registry.histogram(
            "kv_wait_seconds", help: "A \"wait\".\n", labels: [("op", "a\"b\\c\nd")], bounds: [0.5, 2], isNative: true)
        let mark = TraceMark(
            traceHigh: 0x0af7_6519_16cd_43dd, traceLow: 0x8448_eb21_1c80_319c, atNanoseconds: 1_700_000_000_123_456_789)
        duration.observe(nanoseconds: 1_000_000_000, in: mark)
        duration.observe(nanoseconds: 1_050_000_000)
        duration.observe(nanoseconds: 4_000_000_000)
        registry.counter("kv_sent_bytes_total", help: "Sent.").increment(by: 3)
        registry.counter("kv_odd", help: "A counter without its suffix.").increment()
        registry.gauge("kv_ready", help: "Ready.").set(1)
        return registry
    }

    @Test func `OpenMetrics is this text, to the byte`() {
        let expected = #"""
            # TYPE kv_odd unknown
            # HELP kv_odd A counter without its suffix.
            kv_odd 1
            # TYPE kv_ready gauge
            # HELP kv_ready Ready.
            kv_ready 1
            # TYPE kv_sent_bytes counter
            # UNIT kv_sent_bytes bytes
            # HELP kv_sent_bytes Sent.
            kv_sent_bytes_total 3
            # TYPE kv_wait_seconds histogram
            # UNIT kv_wait_seconds seconds
            # HELP kv_wait_seconds A \"wait\".\n
            kv_wait_seconds_bucket{op="a\"b\\c\nd",le="0.5"} 0
            kv_wait_seconds_bucket{op="a\"b\\c\nd",le="2.0"} 2 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 1 1700000000.123
            kv_wait_seconds_bucket{op="a\"b\\c\nd",le="+Inf"} 3
            kv_wait_seconds_sum{op="a\"b\\c\nd"} 6.05
            kv_wait_seconds_count{op="a\"b\\c\nd"} 3
            # TYPE metrics_registration_conflicts counter
            # HELP metrics_registration_conflicts Metrics whose registration contradicts an earlier one or the format; their series are not exposed.
            metrics_registration_conflicts_total 0
            # TYPE metrics_series_overflow counter
            # HELP metrics_series_overflow Series registered beyond the limit of a family; their values are not exposed.
            metrics_series_overflow_total 0
            # EOF

            """#
        #expect(String(decoding: self.registry().render(.openMetrics), as: UTF8.self) == expected)
    }

    /// Against bytes that were put together by hand from the field numbers and wire types.
    @Test func `protobuf writes a counter as one message behind its length`() {
        let registry = MetricsRegistry()
        registry.counter("a_bytes_total", help: "h", labels: [("k", "v")]).increment(by: 300)
        let message: [UInt8] =
            [0x0A, 13] + Array("a_bytes_total".utf8)  // name
            + [0x12, 1, 0x68]  // help
            + [0x18, 0]  // type: counter
            + [0x2A, 5] + Array("bytes".utf8)  // unit
            + [0x22, 19]  // metric
            + [0x0A, 6, 0x0A, 1, 0x6B, 0x12, 1, 0x76]  // label k="v"
            + [0x1A, 9, 0x09, 0, 0, 0, 0, 0, 0xC0, 0x72, 0x40]  // counter: 300
        let bytes = registry.render(.protobuf)
        #expect(bytes.starts(with: [UInt8(message.count)] + message), "\(bytes.prefix(80))")
    }

    @Test func `protobuf writes numbers as their wire types have them`() {
        var writer = ProtobufWriter()
        writer.add(1, UInt64(300))
        writer.addSigned(5, -2)
        writer.addSigned(5, .min)
        writer.addPackedSigned(13, [0, 1, -1, 64])
        writer.add(16, [7])
        let expected: [UInt8] =
            [0x08, 0xAC, 0x02, 0x28, 0x03] + [0x28] + Array(repeating: 0xFF, count: 9) + [0x01]
            + [0x6A, 5, 0, 2, 1, 0x80, 0x01] + [0x82, 0x01, 1, 7]
        #expect(writer.bytes == expected)
    }
}
