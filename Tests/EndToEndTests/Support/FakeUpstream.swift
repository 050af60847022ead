import Synchronization
import TestSupport

/// What stands between the gateway and a real kv-service: it passes requests on, and does with the answers what the test
/// wants. Probes always get the true answer, unless `spoilsProbes`.
final class FakeUpstream: Sendable {
    /// What becomes of one request. It may call the closure, which sends the request to kv-service and returns the
    /// answer; nil if kv-service gave none.
    typealias Treatment = @Sendable (FakeRequest, () -> HTTPAnswer?) -> [FakeStep]

    private struct Mode {
        var treatment: Treatment?
        var spoilsProbes = false
    }

    private final class Held: Sendable {
        let mode = Mutex(Mode())
    }

    private let held = Held()
    private let server: FakeHTTPServer
    let port: UInt16

    init(kvPort: UInt16) throws {
        let held = self.held
        self.server = FakeHTTPServer { request in
            let mode = held.mode.withLock { $0 }
            let forward = { Self.answer(of: kvPort, to: request) }
            if let treatment = mode.treatment, mode.spoilsProbes || request.path != "/readyz" {
                return treatment(request, forward)
            }
            return forward().map { [.send(Self.bytes(of: $0))] } ?? [.close]
        }
        self.port = UInt16(try self.server.startAndWait())
    }

    deinit { self.server.stopLater() }

    /// From now on requests are treated so; nil: passed on.
    func treat(spoilsProbes: Bool = false, _ treatment: Treatment?) {
        self.held.mode.withLock { $0 = Mode(treatment: treatment, spoilsProbes: spoilsProbes) }
    }

    /// Whether a request with this id has arrived.
    func received(_ id: String) -> Bool { self.server.requests.contains { $0.fields["x-request-id"] == id } }

    private static func answer(of port: UInt16, to request: FakeRequest) -> HTTPAnswer? {
        let fields = request.fields.filter { $0.key != "host" && $0.key != "content-length" }
        return try? HTTPConnection(port: port).request(
            request.method, request.target, headers: fields.map { ($0.key, $0.value) },
            body: request.method == "POST" ? request.body : nil)
    }

    /// The head of an answer as it came, with other fields before the others.
    static func head(of answer: HTTPAnswer, without names: Set<String> = [], adding fields: [String] = []) -> String {
        let kept = answer.headers.filter { !names.contains($0.name.lowercased()) }.map { "\($0.name): \($0.value)" }
        return "HTTP/1.1 \(answer.status) X\r\n" + (fields + kept).map { "\($0)\r\n" }.joined() + "\r\n"
    }

    static func bytes(of answer: HTTPAnswer) -> [UInt8] { Array(self.head(of: answer).utf8) + answer.body }
}
