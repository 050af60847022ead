import Glibc
import SystemSupport

/// One HTTP/1.1 request over its own connection, for threads that may block: the readiness probe of the command line,
/// and the exporter of spans. There is no pool, and no kept connection that could close as a request is sent; clients
/// with more requests use the gateway's upstream pool.
///
/// A client library could do this, but adds a TLS implementation to services without TLS, for two requests per second.
package struct BlockingExchange {
    /// The step that failed, and its `errno`.
    package struct Failure: Error {
        package let step: StaticString
        package let code: Int32
    }

    package let host: String
    package let port: UInt16
    /// Monotonic nanoseconds: the end of every wait except the resolver's, which has its own limits.
    package let deadlineNanoseconds: UInt64
    /// Bytes after this limit are not read.
    package let answerLimitBytes: Int

    package init(host: String, port: UInt16, deadlineNanoseconds: UInt64, answerLimitBytes: Int) {
        self.host = host
        self.port = port
        self.deadlineNanoseconds = deadlineNanoseconds
        self.answerLimitBytes = answerLimitBytes
    }

    /// Sends a request, which must contain `Connection: close`, and reads until the answer is complete, the peer
    /// closes, or the limit is reached.
    package func run(_ request: [UInt8]) throws(Failure) -> ReceivedAnswer {
        let descriptor = try self.connected()
        defer { close(descriptor) }
        try self.send(request, to: descriptor)
        var answer = ReceivedAnswer()
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while !answer.isComplete, answer.byteCount < self.answerLimitBytes {
            let count = unsafe recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 { break }
            if count > 0 {
                answer.append(chunk[..<count])
            } else {
                try self.waitAfter(errno, descriptor, POLLIN, step: "receive")
            }
        }
        return answer
    }

    private func send(_ request: [UInt8], to descriptor: Int32) throws(Failure) {
        var sent = 0
        while sent < request.count {
            let rest = request[sent...]
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                sent += count
            } else {
                try self.waitAfter(errno, descriptor, POLLOUT, step: "send")
            }
        }
    }

    // MARK: Connecting

    private func connected() throws(Failure) -> Int32 {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let found = unsafe getaddrinfo(self.host, String(self.port), &hints, &list)
        guard found == 0, let first = unsafe list else { throw Failure(step: "look up", code: ENOENT) }
        defer { unsafe freeaddrinfo(first) }
        var last = Failure(step: "connect", code: ECONNREFUSED)
        var next: UnsafeMutablePointer<addrinfo>? = unsafe first
        while let candidate = unsafe next {
            do { return try unsafe self.connect(candidate.pointee) } catch { last = error }
            unsafe next = candidate.pointee.ai_next
        }
        throw last
    }

    private func connect(_ candidate: addrinfo) throws(Failure) -> Int32 {
        let kind = unsafe candidate.ai_socktype | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = unsafe socket(candidate.ai_family, kind, 0)
        guard descriptor >= 0 else { throw Failure(step: "socket", code: errno) }
        do throws(Failure) {
            if unsafe Glibc.connect(descriptor, candidate.ai_addr, candidate.ai_addrlen) != 0 {
                guard errno == EINPROGRESS || errno == EINTR else { throw Failure(step: "connect", code: errno) }
                try self.wait(descriptor, POLLOUT, step: "connect")
                var code: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code == 0 else {
                    throw Failure(step: "connect", code: code == 0 ? errno : code)
                }
            }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    // MARK: Waiting

    /// After a failed call: waits if the call can be repeated, else throws.
    private func waitAfter(_ code: Int32, _ descriptor: Int32, _ event: Int32, step: StaticString) throws(Failure) {
        switch code {
        case EINTR: break
        case EAGAIN: try self.wait(descriptor, event, step: step)
        default: throw Failure(step: step, code: code)
        }
    }

    private func wait(_ descriptor: Int32, _ event: Int32, step: StaticString) throws(Failure) {
        while true {
            let now = MonotonicClock.nanoseconds()
            guard now < self.deadlineNanoseconds else { throw Failure(step: step, code: ETIMEDOUT) }
            let milliseconds = (self.deadlineNanoseconds - now + 999_999) / 1_000_000
            var poll = pollfd(fd: descriptor, events: Int16(event), revents: 0)
            // The next call on the connection reports any error.
            if unsafe Glibc.poll(&poll, 1, Int32(clamping: milliseconds)) > 0 { return }
        }
    }
}
