import Glibc

/// A blocking HTTP/1.1 connection, plain enough to send what a correct client would not.
///
/// Confined to one thread at a time.
package final class HTTPConnection {
    private let descriptor: Int32
    private var unread: [UInt8] = []
    /// For a whole answer, however slowly its bytes drip.
    private static let answerLimit = Duration.seconds(120)
    private var deadline = ContinuousClock.now

    /// Connects to `127.0.0.1`. Each call waits at most `timeoutSeconds` for bytes.
    ///
    /// - Parameter receiveBufferBytes: how much the system takes before the test reads; nil for its default.
    package init(port: UInt16, timeoutSeconds: Int = 30, receiveBufferBytes: Int32? = nil) throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard self.descriptor >= 0 else { throw SystemCallError(call: "socket", code: errno) }
        var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
        setsockopt(self.descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
        if var bytes = receiveBufferBytes {
            setsockopt(self.descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var one: Int32 = 1
        setsockopt(self.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        // If this throws, `deinit` closes the descriptor: all members have their values.
        try LoopbackSocket.connect(self.descriptor, port: port)
    }

    deinit {
        close(self.descriptor)
    }

    /// Sends one request and reads its answer.
    package func request(
        _ method: String,
        _ target: String,
        headers: [(String, String)] = [],
        body: [UInt8]? = nil
    ) throws -> HTTPAnswer {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: test\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        try self.send(Array("\(head)\r\n".utf8) + (body ?? []))
        let answer = try self.receive(answersHead: method == "HEAD")
        AnswerRecord.add(answer, to: method, target)
        return answer
    }

    /// Sends bytes as they are.
    package func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw SystemCallError(call: "send", code: errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads one answer: its head, and a body of `Content-Length` bytes, or one in chunks as other servers send them.
    package func receive(answersHead: Bool = false) throws -> HTTPAnswer {
        self.deadline = .now + Self.answerLimit
        while true {
            let end = try self.headEnd()
            let head = String(decoding: self.unread[..<end], as: UTF8.self)
            self.unread.removeFirst(end + 4)
            var answer = try HTTPAnswer(head: head)
            if answer.status == 100 { continue }
            if !answersHead && answer.status != 204 && answer.status != 304 {
                if answer["Transfer-Encoding"] == "chunked" {
                    answer.body = try self.chunkedBody()
                } else if let length = answer["Content-Length"].flatMap({ Int($0) }) {
                    answer.body = try self.take(length)
                } else {
                    throw MalformedAnswer(reason: "neither Content-Length nor chunks in: \(head)")
                }
            }
            return answer
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while self.unread.count < count { try self.receiveMore() }
        defer { self.unread.removeFirst(count) }
        return Array(self.unread[..<count])
    }

    /// Without trailers.
    private func chunkedBody() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            var line: [UInt8] = []
            while line.suffix(2) != [13, 10] { line += try self.take(1) }
            let text = String(decoding: line.dropLast(2), as: UTF8.self)
            guard let size = Int(text, radix: 16), size >= 0 else { throw MalformedAnswer(reason: "chunk: \(text)") }
            body += try self.take(size)
            guard try self.take(2) == [13, 10] else { throw MalformedAnswer(reason: "no end of a chunk") }
            if size == 0 { return body }
        }
    }

    /// Sends bytes as they are, ends the sending half, and reads all that the server answers.
    package func exchangeToEnd(_ bytes: [UInt8]) throws -> [UInt8] {
        // A server that refuses early may close before all is sent; what it answered is there all the same.
        try? self.send(bytes)
        shutdown(self.descriptor, Int32(SHUT_WR))
        self.deadline = .now + Self.answerLimit
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            try self.checkTime()
            let count = recv(self.descriptor, &chunk, chunk.count, 0)
            if count == 0 || (count < 0 && errno == ECONNRESET) { break }
            guard count > 0 else { throw SystemCallError(call: "recv", code: errno) }
            self.unread += chunk[..<count]
        }
        defer { self.unread = [] }
        return self.unread
    }

    /// Whether the server closes the connection without sending more.
    package func isClosedByServer() throws -> Bool {
        var byte: UInt8 = 0
        let count = recv(self.descriptor, &byte, 1, 0)
        if count < 0 && errno != ECONNRESET { throw SystemCallError(call: "recv", code: errno) }
        return count <= 0 && self.unread.isEmpty
    }

    private func headEnd() throws -> Int {
        while true {
            if let end = self.unread.withUnsafeBytes({ Self.headEnd(in: $0) }) { return end }
            try self.receiveMore()
        }
    }

    /// Where the first empty line begins.
    private static func headEnd(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let start = bytes.baseAddress else { return nil }
        var offset = 0
        while let found = memchr(start + offset, 13, bytes.count - offset) {
            offset = UnsafeRawPointer(found) - start
            if bytes.count - offset < 4 { return nil }
            if memcmp(start + offset, "\r\n\r\n", 4) == 0 { return offset }
            offset += 1
        }
        return nil
    }

    private func checkTime() throws {
        guard ContinuousClock.now < self.deadline else {
            throw TimeoutError(
                description: "no whole answer within \(Self.answerLimit); so far \(self.unread.count) bytes")
        }
    }

    private func receiveMore() throws {
        try self.checkTime()
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(self.descriptor, &chunk, chunk.count, 0)
        guard count >= 0 else { throw SystemCallError(call: "recv", code: errno) }
        guard count > 0 else { throw MalformedAnswer(reason: "the server closed the connection") }
        self.unread += chunk[..<count]
    }
}

package struct MalformedAnswer: Error, CustomStringConvertible {
    package let reason: String

    package init(reason: String) { self.reason = reason }

    package var description: String { self.reason }
}
