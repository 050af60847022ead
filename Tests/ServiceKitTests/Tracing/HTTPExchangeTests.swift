import JSON
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOPosix
import Testing

@testable import HTTPClient
@testable import SystemSupport
@testable import TraceExport

@Suite(.timeLimit(.minutes(1))) struct HTTPExchangeTests {
    private static let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()

    private static func head(_ target: String) -> HTTPRequestHead {
        HTTPRequestHead(version: .http1_1, method: .GET, uri: target, headers: ["Host": "a"])
    }

    private static func run(port: UInt16, milliseconds: UInt64, limit: Int = 65_536) -> (String, Duration) {
        let exchange = HTTPExchange(
            host: "127.0.0.1",
            port: port,
            deadlineNanoseconds: MonotonicClock.nanoseconds() + milliseconds * 1_000_000,
            answerLimitBytes: limit
        )
        let began = ContinuousClock.now
        switch exchange.result(Self.head("/get"), on: Self.loop) {
        case .success(let answer): return ("\(answer.status ?? 0)", ContinuousClock.now - began)
        case .failure(let error):
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
        let exchange = HTTPExchange(
            host: "127.0.0.1",
            port: UInt16(server.port),
            deadlineNanoseconds: MonotonicClock.nanoseconds() + 50_000_000,
            answerLimitBytes: 100
        )
        let began = ContinuousClock.now
        #expect(throws: HTTPExchange.Failure.self) { try exchange.result(Self.head("/held"), on: Self.loop).get() }
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
        let exchange = HTTPExchange(
            host: "127.0.0.1",
            port: UInt16(server.port),
            deadlineNanoseconds: MonotonicClock.nanoseconds() + 10_000_000_000,
            answerLimitBytes: 10_000
        )
        let answer = try exchange.result(Self.head("/large"), on: Self.loop).get()
        #expect(answer.status == 200 && (10_000..<20_000).contains(answer.body.count) && !answer.isComplete)
        await server.stop()
    }
}
