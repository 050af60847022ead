import DashboardModel
import TestSupport

/// Initial situations of tests and golden screens.
enum Scenario {
    static let refused = PollFailure("connection refused")

    static func miss(_ target: Int, at: Double, wallTime: Double, _ failure: PollFailure = refused) -> PollResult {
        PollResult(
            target: target, receivedAt: at, wallTime: wallTime, metrics: .failure(failure), admin: .failure(failure))
    }

    /// The incident; then kv-service misses polls while the gateway still answers.
    static func missed(polls: Int) -> Dashboard {
        var dashboard = Incident.dashboard(seconds: 60)
        for poll in 1...polls {
            let at = dashboard.now.rounded(.down) + 1
            dashboard.apply(self.miss(0, at: at, wallTime: Incident.end + Double(poll)))
        }
        return dashboard
    }

    /// The incident with another `/admin` document of kv-service.
    static func incident(_ changes: [(text: String, becomes: String)]) -> Dashboard {
        Incident.dashboard(seconds: 30, compaction: .idle) { document in
            changes.reduce(document) { text, change in
                precondition(text.contains(change.text), "\(change.text) is not in the document")
                return text.replacing(change.text, with: change.becomes)
            }
        }
    }

    /// Two services that answered for twelve seconds, without requests for data.
    static func idle() -> Dashboard {
        var dashboard = Dashboard(targets: Incident.targets, now: 1_000, wallTime: Incident.end - 12)
        for second in 0...12 {
            for target in 0...1 {
                dashboard.apply(
                    self.poll(target, at: 1_000 + Double(second), wallTime: Incident.end - 12 + Double(second), [:]))
            }
        }
        return dashboard
    }

    /// A poll with these numbers of requests of each handler, all in the bucket of up to a millisecond.
    static func poll(
        _ target: Int, at: Double, wallTime: Double = Incident.end, _ requests: [String: Int], start: Double = 1,
        extra: [(name: String, value: Double)] = [], admin given: String? = nil
    ) -> PollResult {
        let prefix = target == 0 ? "kv" : "api"
        var all = ["\(prefix)_set": 0, "\(prefix)_get": 0, "\(prefix)_delete": 0, "admin": 0, "metrics": 0]
        all.merge(requests) { _, given in given }
        let metrics = FakeMetrics(
            handlers: all.sorted { $0.key < $1.key }.map { name, count in
                var buckets = Array(repeating: 0, count: FakeMetrics.bounds.count + 1)
                buckets[FakeMetrics.bounds.firstIndex(of: 0.001)!] = count
                return FakeMetrics.Handler(name: name, statuses: [(200, count)], buckets: buckets)
            }, numbers: [("process_start_time_seconds", start)] + extra)
        let admin = given ?? (target == 0 ? FakeAdmin.kv(0, .notReported) : FakeAdmin.gateway(0))
        return PollResult(
            reading: RawPoll(
                target: target, receivedAt: at, wallTime: wallTime, roundTripSeconds: 0.002,
                metrics: .success(metrics.text), admin: .success(Array(admin.utf8))))
    }
}
