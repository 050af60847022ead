import Foundation
import TestSupport
import Testing

@testable import PrometheusMetrics

private let promtool = Programs.installed("promtool")

@Suite(
    "Promtool",
    .enabled(if: promtool != nil, "promtool is not on PATH (Debian package prometheus): not checked with it"),
    .timeLimit(.minutes(1)))
struct PromtoolTests {
    @Test func `finds nothing wrong with the exposition`() throws {
        let path = try #require(promtool)
        let registry = MetricsRegistry()
        ProcessMetrics.register(in: registry)
        for method in ["GET", "HEAD"] {
            let labels = [("handler", "kv_get"), ("method", method)]
            registry.histogram("http_request_duration_seconds", help: "Duration.", labels: labels)
                .observe(nanoseconds: 3_000_000)
            for status in ["200", "404"] {
                registry.counter("http_requests_total", help: "Requests.", labels: labels + [("status", status)])
                    .increment()
            }
        }
        registry.histogram("http_response_size_bytes", help: "Sizes.", bounds: [64, 256, 1_048_576]).observe(1e9)
        registry.gauge("kv_hostile_ratio", help: "A \\ and a\nnewline.", labels: [("kind", "\"\\\n\r\u{0}é🙂")]).set(
            .nan)
        registry.gauge("kv_endless_ratio", help: "Infinity.").set(-.infinity)

        let result = try Self.check(registry.render(), with: path)
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.isEmpty, "\(result.output)")
    }

    @Test func `is run by these tests so that it would find something`() throws {
        let path = try #require(promtool)
        let registry = MetricsRegistry()
        registry.counter("requests", help: "A counter without its suffix.").increment()
        #expect(try Self.check(registry.render(), with: path).status != 0)
    }

    private static func check(_ text: [UInt8], with path: String) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["check", "metrics"]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
        // One that hangs is ended, and with it the pipes that are waited for here.
        let limit = DispatchWorkItem { [id = process.processIdentifier] in kill(id, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(60), execute: limit)
        defer { limit.cancel() }
        // Promtool reads all of its input before it writes, so neither side waits for the other.
        try input.fileHandleForWriting.write(contentsOf: Data(text))
        try input.fileHandleForWriting.close()
        let answer = try output.fileHandleForReading.readToEnd() ?? Data()
        #expect(ended.wait(timeout: .now() + .seconds(10)) == .success)
        return (process.terminationStatus, String(decoding: answer, as: UTF8.self))
    }
}
