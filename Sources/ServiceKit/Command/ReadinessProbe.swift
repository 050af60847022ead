import HTTP1
import ServiceSettings
import SystemSupport

/// One `GET /readyz` over a blocking socket, for the `healthcheck` command.
struct ReadinessProbe {
    /// For the whole request.
    static let timeoutSeconds = 3
    /// The rest of a longer answer is not read: the status line and the reasons come first.
    private static let answerLimitBytes = 16_384

    struct Verdict {
        let isReady: Bool
        let line: String
    }

    let address: ListenAddress

    func run() -> Verdict {
        let url = "http://\(self.address)/readyz"
        if self.address.port == 0 {
            return Verdict(
                isReady: false, line: "the listen address has port 0; give the port that the service listens on")
        }
        let exchange = BlockingExchange(
            host: self.address.host,
            port: self.address.port,
            deadlineNanoseconds: MonotonicClock.nanoseconds() + UInt64(Self.timeoutSeconds) * 1_000_000_000,
            answerLimitBytes: Self.answerLimitBytes
        )
        do {
            let answer = try exchange.run(
                Array("GET /readyz HTTP/1.1\r\nHost: \(self.address)\r\nConnection: close\r\n\r\n".utf8)
            )
            guard answer.status == 200 else {
                let status = answer.status.map { "\($0)" } ?? "no HTTP answer"
                let reasons = String(decoding: answer.body, as: UTF8.self).replacing("\n", with: " ")
                return Verdict(isReady: false, line: "not ready: \(url) answered \(status): \(reasons)")
            }
            return Verdict(isReady: true, line: "ready: \(url) answered 200")
        } catch {
            return Verdict(isReady: false, line: "not ready: \(url): \(error.step): \(ErrorNumber.text(error.code))")
        }
    }
}
