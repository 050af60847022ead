import HTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceSettings
import SystemSupport
import TransportSecurity

/// One `GET /readyz`, for the `healthcheck` command.
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
    /// The service's own certificate; nil for plain HTTP.
    let certificate: CertificateFiles?

    private var url: String { "\(self.certificate == nil ? "http" : "https")://\(self.address)/readyz" }

    /// Requests it on this thread, and hands over what came of it, after which the process must end: to stop the event
    /// loop, NIO needs a second thread, and a process that may have none can still be asked for its readiness.
    func run(_ end: @escaping (Verdict) -> Never) -> Never {
        if self.address.port == 0 {
            end(
                Verdict(
                    isReady: false, line: "the listen address has port 0; give the port that the service listens on")
            )
        }
        let tls: TLSEndpoint?
        do throws(CertificateError) {
            tls = try self.certificate.map { files throws(CertificateError) in
                TLSEndpoint(name: "healthcheck", try TLSContext.toItself(files))
            }
        } catch {
            end(Verdict(isReady: false, line: "not ready: the certificate cannot be read: \(error)"))
        }
        let exchange = HTTPExchange(
            host: self.address.host,
            port: self.address.port,
            tls: tls,
            deadlineNanoseconds: MonotonicClock.nanoseconds() + UInt64(Self.timeoutSeconds) * 1_000_000_000,
            answerLimitBytes: Self.answerLimitBytes
        )
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/readyz",
            headers: ["Host": "\(self.address)", "Connection": "close"])
        MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
            exchange.run(head, on: loop).assumeIsolated().whenComplete { end(self.verdict($0)) }
        }
        preconditionFailure("the event loop ended before its process")
    }

    private func verdict(_ result: Result<ReceivedAnswer, any Error>) -> Verdict {
        let url = self.url
        switch result {
        case .success(let answer) where answer.status == 200:
            return Verdict(isReady: true, line: "ready: \(url) answered 200")
        case .success(let answer):
            let status = answer.status.map { "\($0)" } ?? "no HTTP answer"
            let reasons = String(decoding: answer.body, as: UTF8.self).replacing("\n", with: " ")
            return Verdict(isReady: false, line: "not ready: \(url) answered \(status): \(reasons)")
        case .failure(let error as HTTPExchange.Failure):
            let reason = "\(error.step): \(error.handshake?.description ?? ErrorNumber.text(error.code))"
            return Verdict(isReady: false, line: "not ready: \(url): \(reason)")
        case .failure(let error):
            return Verdict(isReady: false, line: "not ready: \(url): \(error)")
        }
    }
}
