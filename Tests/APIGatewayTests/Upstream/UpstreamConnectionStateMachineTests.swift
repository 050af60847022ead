import NIOCore
import NIOHTTP1
import Testing

@testable import APIGateway

@Suite("An upstream connection", .timeLimit(.minutes(1)))
struct UpstreamConnectionStateMachineTests {
    private typealias Machine = UpstreamConnectionStateMachine

    private func head(_ fields: [(String, String)] = [("Content-Length", "3")], status: Int = 200)
        -> HTTPClientResponsePart
    {
        .head(
            HTTPResponseHead(
                version: .http1_1,
                status: HTTPResponseStatus(statusCode: status),
                headers: HTTPHeaders(fields)
            )
        )
    }

    private func busy(maxBodyBytes: Int = 8) -> Machine {
        var machine = Machine(maxBodyBytes: maxBodyBytes)
        machine.requestSent(id: "id-1")
        return machine
    }

    private func failure(_ action: Machine.PartAction) -> UpstreamFailure? {
        guard case .fail(let failure) = action else { return nil }
        return failure
    }

    @Test func `collects an answer and is free at the end of the read`() {
        var machine = self.busy()
        _ = machine.received(self.head())
        _ = machine.received(.body(ByteBuffer(string: "a")))
        _ = machine.received(.body(ByteBuffer(string: "bc")))
        guard case .complete(let response) = machine.received(.end(nil)) else {
            Issue.record("not complete")
            return
        }
        #expect(response.head.status == 200)
        #expect(String(buffer: response.body) == "abc")
        guard case .release = machine.readComplete(), case .none = machine.readComplete() else {
            Issue.record("not free once")
            return
        }
        machine.requestSent(id: "id-2")
    }

    @Test(arguments: [("Connection", "close"), ("connection", "Close")])
    func `is not used again when its peer says that it closes`(field: (String, String)) {
        var machine = self.busy()
        _ = machine.received(self.head([("Content-Length", "0"), field]))
        guard case .complete = machine.received(.end(nil)), case .close = machine.readComplete() else {
            Issue.record("kept")
            return
        }
        #expect(machine.closed() == .none)
    }

    @Test func `is not used again when bytes follow the answer within the same read`() {
        var machine = self.busy()
        _ = machine.received(self.head())
        _ = machine.received(.end(nil))
        guard case .close = machine.received(self.head()) else {
            Issue.record("a second answer was taken")
            return
        }
        #expect(machine.closed() == .activeClosed)
    }

    @Test func `is closed by an answer that nobody asked for`() {
        var machine = Machine(maxBodyBytes: 8)
        guard case .close = machine.received(self.head()) else {
            Issue.record("taken")
            return
        }
        #expect(machine.closed() == .idleClosed)
    }

    @Test func `is closed by bytes that cannot be decoded`() {
        var idle = Machine(maxBodyBytes: 8)
        guard case .close = idle.decodingFailed("x") else {
            Issue.record("kept")
            return
        }
        var busy = self.busy()
        #expect(self.failure(busy.decodingFailed("x")) == .protocolError("x"))
        #expect(busy.closed() == .none)
    }

    @Test func `never takes the answer to another request`() {
        var machine = self.busy()
        let action = machine.received(self.head([("Content-Length", "0"), ("X-Request-Id", "id-0")]))
        #expect(self.failure(action) == .protocolError("an answer to another request"))
        var other = self.busy()
        #expect(self.failure(other.received(self.head([("Content-Length", "0"), ("X-Request-Id", "id-1")]))) == nil)
    }

    @Test func `refuses an answer whose end is the end of the connection`() {
        var machine = self.busy()
        #expect(self.failure(machine.received(self.head([]))) == .protocolError("an answer of unknown length"))
        var chunked = self.busy()
        #expect(self.failure(chunked.received(self.head([("Transfer-Encoding", "chunked")]))) == nil)
    }

    @Test func `refuses an answer above the limit by its length and by its bytes`() {
        var announced = self.busy(maxBodyBytes: 8)
        #expect(self.failure(announced.received(self.head([("Content-Length", "9")]))) != nil)
        var chunked = self.busy(maxBodyBytes: 8)
        _ = chunked.received(self.head([("Transfer-Encoding", "chunked")]))
        #expect(self.failure(chunked.received(.body(ByteBuffer(repeating: 1, count: 8)))) == nil)
        #expect(self.failure(chunked.received(.body(ByteBuffer(repeating: 1, count: 1)))) != nil)
    }

    @Test(arguments: ["", "3", "\"\"", "\"x\"", "W/\"3\"", "\"03\"", "\"-1\"", "\"18446744073709551616\""])
    func `refuses an entity tag that is no revision`(tag: String) {
        var machine = self.busy()
        let action = machine.received(self.head([("Content-Length", "0"), ("ETag", tag)]))
        #expect(self.failure(action) == .protocolError("an ETag that is not a revision"))
    }

    @Test(arguments: [("\"0\"", 0), ("\"7\"", 7), ("\"18446744073709551615\"", .max)] as [(String, UInt64)])
    func `reads the revision from the entity tag`(tag: String, revision: UInt64) throws {
        guard case .head(let head) = self.head([("etag", tag)]) else { return }
        #expect(try UpstreamResponse.Head(head).revision == revision)
    }

    @Test func `reads the fields that the gateway needs, whatever their case`() throws {
        let fields = [
            ("CONTENT-TYPE", "application/problem+json; charset=utf-8"), ("x-kv-result", "miss"), ("Retry-After", "2"),
            ("Server-Timing", "queue;dur=1"), ("server-timing", "fsync;dur=2"), ("X-REQUEST-ID", "r"),
            ("content-length", "0"), ("Date", "today"),
        ]
        guard case .head(let responseHead) = self.head(fields, status: 404) else { return }
        let head = try UpstreamResponse.Head(responseHead)
        #expect(head.status == 404)
        #expect(head.mediaType == .problem)
        #expect(head.isMiss)
        #expect(head.retryAfterSeconds == 2)
        #expect(head.serverTiming == "queue;dur=1, fsync;dur=2")
        #expect(head.requestID == "r")
        #expect(head.isKeepAlive)
        #expect(head.revision == nil)
    }

    @Test func `tells what its end means`() {
        var idle = Machine(maxBodyBytes: 8)
        #expect(idle.closed() == .idleClosed)
        #expect(idle.closed() == .none)
        var waiting = self.busy()
        #expect(waiting.closed() == .fail(.reset(sent: true)))
        var receiving = self.busy()
        _ = receiving.received(self.head())
        _ = receiving.received(.body(ByteBuffer(string: "a")))
        #expect(receiving.closed() == .fail(.reset(sent: true)))
        var abandoned = self.busy()
        let hadRequest = abandoned.abandoned()
        #expect(hadRequest)
        #expect(abandoned.closed() == .none)
    }
}
