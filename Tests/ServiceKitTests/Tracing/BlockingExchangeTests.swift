import JSON
import Testing

@testable import HTTP1
@testable import SystemSupport
@testable import TraceExport

@Suite(.timeLimit(.minutes(1)))
struct BlockingExchangeTests {
    private static func run(port: UInt16, milliseconds: UInt64, limit: Int = 65_536) -> (String, Duration) {
        let exchange = BlockingExchange(
            host: "127.0.0.1",
            port: port,
            deadlineNanoseconds: MonotonicClock.nanoseconds() + milliseconds * 1_000_000,
            answerLimitBytes: limit
        )
        let began = ContinuousClock.now
        do throws(BlockingExchange.Failure) {
            let answer = try exchange.run(Array("GET /get HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            return ("\(answer.status ?? 0)", ContinuousClock.now - began)
        } catch {
            return ("\(error.step): \(ErrorNumber.text(error.code))", ContinuousClock.now - began)
        }
    }

    @Test func `an answer is complete before the connection is closed`() async throws {
        let server = try await TestServer.start()
        let (result, time) = Self.run(port: UInt16(server.port), milliseconds: 10_000)
        #expect(result == "200" && time < .seconds(5))
        await server.stop()
    }

    @Test func `a peer that says nothing is left at the deadline`() async throws {
        let server = try await TestServer.start()
        let exchange = BlockingExchange(
            host: "127.0.0.1",
            port: UInt16(server.port),
            deadlineNanoseconds: MonotonicClock.nanoseconds() + 50_000_000,
            answerLimitBytes: 100
        )
        let began = ContinuousClock.now
        #expect(throws: BlockingExchange.Failure.self) {
            try exchange.run(Array("GET /held HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        }
        #expect(ContinuousClock.now - began >= .milliseconds(50))
        server.held.release()
        await server.stop()
    }

    @Test func `a closed port is told at once`() async throws {
        let server = try await TestServer.start()
        let port = UInt16(server.port)
        await server.stop()
        let (result, time) = Self.run(port: port, milliseconds: 10_000)
        #expect(result == "connect: Connection refused" && time < .seconds(5))
    }

    @Test func `a long answer is read up to the limit`() async throws {
        let server = try await TestServer.start()
        let exchange = BlockingExchange(
            host: "127.0.0.1",
            port: UInt16(server.port),
            deadlineNanoseconds: MonotonicClock.nanoseconds() + 10_000_000_000,
            answerLimitBytes: 10_000
        )
        let answer = try exchange.run(Array("GET /large HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        #expect(answer.status == 200 && (10_000..<20_000).contains(answer.byteCount) && !answer.isComplete)
        await server.stop()
    }
}
