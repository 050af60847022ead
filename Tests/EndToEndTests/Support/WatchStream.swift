import Glibc
import TestSupport

/// A client that watches: a connection whose answer is read event by event. Blocks.
final class WatchStream {
    enum Item: Equatable {
        case comment(String)
        case event(name: String, id: UInt64?, data: String)
    }

    private let descriptor: Int32
    /// Received bytes: framed, then of the body.
    private var framed: [UInt8] = []
    private var body: [UInt8] = []
    private(set) var head = ""
    /// Whether the server has ended the body as its framing requires.
    private(set) var isComplete = false
    private var isAtEnd = false

    /// Sends the request and reads the head of the answer.
    init(
        port: UInt16, _ target: String, headers: [String] = [], version: String = "1.1",
        receiveBufferBytes: Int32? = nil
    ) throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard self.descriptor >= 0 else { throw SystemCallError(call: "socket", code: errno) }
        if var bytes = receiveBufferBytes {
            setsockopt(self.descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        try LoopbackSocket.connect(self.descriptor, port: port)
        var request = "GET \(target) HTTP/\(version)\r\nHost: test\r\n"
        for header in headers { request += header + "\r\n" }
        let bytes = Array((request + "\r\n").utf8)
        guard Glibc.send(self.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw SystemCallError(call: "send", code: errno)
        }
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            if let end = Self.place(of: "\r\n\r\n", in: self.framed) {
                self.head = String(decoding: self.framed[..<end], as: UTF8.self)
                self.framed.removeFirst(end + 4)
                break
            }
            guard try self.receive(until: deadline) else { throw MalformedAnswer(reason: "no head") }
        }
        try self.unframe()
    }

    deinit { close(self.descriptor) }

    var status: Int { Int(self.head.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    private var isChunked: Bool { self.head.lowercased().contains("transfer-encoding: chunked") }

    /// The next comment or event; nil at the end of the body.
    func next(seconds: Double = 20) throws -> Item? {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            if let item = self.takeItem() { return item }
            if self.isAtEnd { return nil }
            if !(try self.receive(until: deadline)) {
                self.isAtEnd = true
                if !self.isChunked { self.isComplete = true }
            }
            try self.unframe()
        }
    }

    /// The next event, however many comments come before it.
    func nextEvent(seconds: Double = 20) throws -> (name: String, id: UInt64?, data: String)? {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while let item = try self.next(seconds: max(0, (deadline - .now) / .seconds(1))) {
            if case .event(let name, let id, let data) = item { return (name, id, data) }
        }
        return nil
    }

    private static func place(of text: String, in bytes: [UInt8]) -> Int? {
        let (first, count) = (Int32(text.utf8.first ?? 0), text.utf8.count)
        return bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return nil }
            var offset = 0
            while bytes.count - offset >= count, let found = memchr(start + offset, first, bytes.count - offset) {
                offset = UnsafeRawPointer(found) - start
                if bytes.count - offset < count { return nil }
                if memcmp(start + offset, text, count) == 0 { return offset }
                offset += 1
            }
            return nil
        }
    }

    private func takeItem() -> Item? {
        guard let end = Self.place(of: "\n\n", in: self.body) else { return nil }
        let text = String(decoding: self.body[..<end], as: UTF8.self)
        self.body.removeFirst(end + 2)
        var (name, id, data) = ("", UInt64?.none, "")
        for line in text.split(separator: "\n") {
            if line.hasPrefix("event: ") { name = String(line.dropFirst(7)) }
            if line.hasPrefix("id: ") { id = UInt64(line.dropFirst(4)) }
            if line.hasPrefix("data: ") { data = String(line.dropFirst(6)) }
        }
        return text.hasPrefix(":") ? .comment(text) : .event(name: name, id: id, data: data)
    }

    /// - Returns: false at the end of the connection.
    private func receive(until deadline: ContinuousClock.Instant) throws -> Bool {
        var poll = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
        let left = max(0, (deadline - .now) / .milliseconds(1))
        guard Glibc.poll(&poll, 1, Int32(left)) == 1 else {
            throw TimeoutError(description: "nothing more to read in time")
        }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(self.descriptor, &chunk, chunk.count, 0)
        if count < 0, errno != ECONNRESET { throw SystemCallError(call: "recv", code: errno) }
        if count <= 0 { return false }
        self.framed += chunk[..<count]
        return true
    }

    private func unframe() throws {
        guard self.isChunked else {
            self.body += self.framed
            self.framed = []
            return
        }
        while let end = Self.place(of: "\r\n", in: self.framed) {
            let text = String(decoding: self.framed[..<end], as: UTF8.self)
            guard let size = Int(text, radix: 16) else { throw MalformedAnswer(reason: "chunk: \(text)") }
            guard self.framed.count >= end + 2 + size + 2 else { return }
            self.body += self.framed[(end + 2)..<(end + 2 + size)]
            self.framed.removeFirst(end + 2 + size + 2)
            if size == 0 {
                self.isComplete = true
                self.isAtEnd = true
                return
            }
        }
    }
}
