import NIOCore
import Testing

@testable import APIGateway

@Suite("An upstream connection", .timeLimit(.minutes(1)))
struct UpstreamConnectionStateMachineTests {
    private typealias Machine = UpstreamConnectionStateMachine

    private func head(_ fields: [(String, String)] = [("Content-Length", "3")]) -> ByteBuffer {
        ByteBuffer(string: "HTTP/1.1 200 OK\r\n" + fields.map { "\($0): \($1)\r\n" }.joined() + "\r\n")
    }

    private func busy(maxBodyBytes: Int = 8) -> Machine {
        var machine = Machine(maxBodyBytes: maxBodyBytes)
        machine.requestSent(id: "id-1")
        return machine
    }

    private func failure(_ action: Machine.ReadAction) -> UpstreamFailure? {
        guard case .fail(let failure) = action else { return nil }
        return failure
    }

    @Test func `collects an answer and is free at the end of the read`() {
        var machine = self.busy()
        _ = machine.received(self.head())
        _ = machine.received(ByteBuffer(string: "a"))
        guard case .complete(let response) = machine.received(ByteBuffer(string: "bc")) else {
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
        guard case .complete = machine.received(self.head([("Content-Length", "0"), field])),
            case .close = machine.readComplete()
        else {
            Issue.record("kept")
            return
        }
        #expect(machine.closed() == .none)
    }

    @Test func `is not used again when bytes follow the answer within the same read`() {
        var machine = self.busy()
        guard case .complete = machine.received(self.head([("Content-Length", "0")])),
            case .close = machine.received(self.head())
        else {
            Issue.record("a second answer was taken")
            return
        }
        #expect(machine.closed() == .activeClosed)
        var inOnePacket = self.busy()
        guard
            case .complete(let response) = inOnePacket.received(
                ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1H")),
            case .close = inOnePacket.readComplete()
        else {
            Issue.record("kept")
            return
        }
        #expect(String(buffer: response.body) == "1")
        #expect(inOnePacket.closed() == .none)
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
        guard case .close = idle.received(ByteBuffer(string: "x")) else {
            Issue.record("kept")
            return
        }
        var busy = self.busy()
        #expect(self.failure(busy.received(ByteBuffer(string: "x"))) == .protocolError("not HTTP/1"))
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
        #expect(self.failure(chunked.received(ByteBuffer(string: "8\r\n12345678\r\n"))) == nil)
        #expect(self.failure(chunked.received(ByteBuffer(string: "1\r\n"))) != nil)
    }

    @Test(arguments: ["", "3", "\"\"", "\"x\"", "W/\"3\"", "\"03\"", "\"-1\"", "\"18446744073709551616\""])
    func `refuses an entity tag that is no revision`(tag: String) {
        var machine = self.busy()
        let action = machine.received(self.head([("Content-Length", "0"), ("ETag", tag)]))
        #expect(self.failure(action) == .protocolError("an ETag that is not a revision"))
    }

    @Test func `tells what its end means`() {
        var idle = Machine(maxBodyBytes: 8)
        #expect(idle.closed() == .idleClosed)
        #expect(idle.closed() == .none)
        var waiting = self.busy()
        #expect(waiting.closed() == .fail(.reset(sent: true)))
        var receiving = self.busy()
        _ = receiving.received(self.head())
        _ = receiving.received(ByteBuffer(string: "a"))
        #expect(receiving.closed() == .fail(.reset(sent: true)))
        var abandoned = self.busy()
        let hadRequest = abandoned.abandoned()
        #expect(hadRequest)
        #expect(abandoned.closed() == .none)
    }
}
