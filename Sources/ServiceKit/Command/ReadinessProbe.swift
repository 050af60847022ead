import Glibc

/// One `GET /readyz` over a blocking socket, for the `healthcheck` command.
struct ReadinessProbe {
    /// For each step of connecting, sending and receiving.
    static let timeoutSeconds = 3
    /// An answer beyond this is not read: the status line and the reasons come first.
    private static let answerLimitBytes = 16_384

    struct Verdict {
        let isReady: Bool
        let line: String
    }

    let address: ListenAddress

    func run() -> Verdict {
        let url = "http://\(self.address)/readyz"
        if self.address.port == 0 {
            return Verdict(isReady: false, line: "the listen address has port 0; give the port that the service took")
        }
        do {
            let answer = try self.exchange()
            let status = answer.split(separator: " ", maxSplits: 2).dropFirst().first ?? ""
            guard answer.hasPrefix("HTTP/1."), status == "200" else {
                let body = answer.split(separator: "\r\n\r\n", maxSplits: 1).dropFirst().first ?? ""
                let reasons = body.replacing("\n", with: " ")
                return Verdict(isReady: false, line: "not ready: \(url) answered \(status): \(reasons)")
            }
            return Verdict(isReady: true, line: "ready: \(url) answered 200")
        } catch {
            return Verdict(isReady: false, line: "not ready: \(url): \(error.step): \(ErrorNumber.text(error.code))")
        }
    }

    private struct StepError: Error {
        let step: String
        let code: Int32
    }

    private func exchange() throws(StepError) -> String {
        let descriptor = try self.connected()
        defer { close(descriptor) }
        let request = "GET /readyz HTTP/1.1\r\nHost: \(self.address)\r\nConnection: close\r\n\r\n"
        let sent = unsafe send(descriptor, request, request.utf8.count, Int32(MSG_NOSIGNAL))
        guard sent == request.utf8.count else { throw StepError(step: "send", code: errno) }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while answer.count < Self.answerLimitBytes {
            let count = unsafe recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 { break }
            guard count > 0 else { throw StepError(step: "receive", code: errno) }
            answer += chunk[..<count]
        }
        return String(decoding: answer, as: UTF8.self)
    }

    private func connected() throws(StepError) -> Int32 {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let found = unsafe getaddrinfo(self.address.host, String(self.address.port), &hints, &list)
        guard found == 0, let first = unsafe list else { throw StepError(step: "look up", code: ENOENT) }
        defer { unsafe freeaddrinfo(first) }
        var last = StepError(step: "connect", code: ECONNREFUSED)
        var next: UnsafeMutablePointer<addrinfo>? = unsafe first
        while let candidate = unsafe next {
            let descriptor = unsafe socket(
                candidate.pointee.ai_family,
                candidate.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue),
                0
            )
            guard descriptor >= 0 else { throw StepError(step: "socket", code: errno) }
            var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
            _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
            if unsafe connect(descriptor, candidate.pointee.ai_addr, candidate.pointee.ai_addrlen) == 0 {
                return descriptor
            }
            last = StepError(step: "connect", code: errno)
            close(descriptor)
            unsafe next = candidate.pointee.ai_next
        }
        throw last
    }
}
