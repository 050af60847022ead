import DashboardModel
import DashboardRender
import Synchronization
import TestSupport

/// Ten minutes of two services under load, always the same: the content of the golden screens.
enum Incident {
    /// 2026-11-22 14:03:22 UTC, at the last poll.
    static let end = 1_795_356_202.0
    static let targets = [
        Target(role: .kvService, name: "kv", url: "http://127.0.0.1:8081"),
        Target(role: .gateway, name: "gw", url: "http://127.0.0.1:8080"),
    ]

    /// Requests per second at a second of the incident: a wave with a fall in the middle.
    private static func load(_ second: Int) -> Int {
        let wave = [12_400, 12_900, 13_600, 14_400, 15_100, 14_700, 13_800, 12_600, 11_200, 10_300, 10_900, 11_700]
        let base = wave[second / 25 % wave.count] + (second * 37 % 11) * 40
        return (300..<330).contains(second) ? base / 6 : base
    }

    /// A dashboard after the seconds from `first` on, polled each second. The polls of the seconds 420 to 424 are missed.
    static func dashboard(
        from first: Int = 0, seconds: Int = 600, compaction: FakeAdmin.Compaction = .running,
        kvAdmin change: (String) -> String = { $0 }, gatewayAdmin: (Int) -> String = FakeAdmin.gateway
    ) -> Dashboard {
        let start = self.end - Double(seconds)
        var dashboard = Dashboard(targets: self.targets, now: 1_000 + Double(first), wallTime: start + Double(first))
        var sets = 1_000_000
        var gets = 9_000_000
        for second in first...seconds {
            sets += self.load(second) / 8
            gets += self.load(second) * 7 / 8
            let at = 1_000 + Double(second)
            for target in 0...1 {
                dashboard.apply(
                    self.poll(
                        target, second, at: at, wallTime: start + Double(second), sets: sets, gets: gets,
                        compaction: compaction, gatewayAdmin, change))
            }
        }
        dashboard.advance(now: 1_000 + Double(seconds) + 0.4, wallTime: self.end)
        return dashboard
    }

    /// Each text of metrics is read once: that takes most of the time of an incident, and they are the same in all.
    private static let readMetrics = Mutex<[[Int]: MetricsSnapshot]>([:])

    private static func poll(
        _ target: Int, _ second: Int, at: Double, wallTime: Double, sets: Int, gets: Int,
        compaction: FakeAdmin.Compaction, _ gatewayAdmin: (Int) -> String, _ change: (String) -> String
    ) -> PollResult {
        if (420..<425).contains(second), target == 0 {
            let failure = PollFailure("connection refused")
            return PollResult(
                target: target, receivedAt: at, wallTime: wallTime, roundTripSeconds: 0, metrics: .failure(failure),
                admin: .failure(failure))
        }
        let key = [target, second, sets, gets]
        let known = self.readMetrics.withLock { $0[key] }
        var text: [UInt8] = []
        if known == nil {
            text =
                target == 0 ? self.kvMetrics(second, sets, gets).text : self.gatewayMetrics(second, sets, gets).text
        }
        let admin = target == 0 ? change(FakeAdmin.kv(second, compaction)) : gatewayAdmin(second)
        var result = PollResult(
            reading: RawPoll(
                target: target, receivedAt: at, wallTime: wallTime, roundTripSeconds: target == 0 ? 0.002 : 0.0031,
                metrics: .success(text), admin: .success(Array(admin.utf8))))
        if let known {
            result.metrics = .success(known)
        } else if case .success(let read) = result.metrics {
            self.readMetrics.withLock { $0[key] = read }
        }
        return result
    }

    private static func handlers(_ prefix: String, _ second: Int, _ sets: Int, _ gets: Int) -> [FakeMetrics.Handler] {
        let slow = second > 590 ? (second - 590) * 30 : 0
        let deletes = second * 12
        return [
            .init(
                name: "\(prefix)_delete", statuses: [(200, deletes), (404, deletes / 9)],
                buckets: FakeMetrics.buckets(count: deletes + deletes / 9, median: 0.001)),
            .init(
                name: "\(prefix)_get", statuses: [(200, gets), (404, gets / 50)],
                buckets: FakeMetrics.buckets(count: gets + gets / 50, median: 0.0001)),
            .init(
                name: "\(prefix)_set", statuses: [(200, sets), (503, slow)],
                buckets: FakeMetrics.buckets(count: sets + slow, median: 0.001)),
            .init(name: "admin", statuses: [(200, second)], buckets: FakeMetrics.buckets(count: second, median: 2e-4)),
            .init(name: "health", statuses: [(200, 0)], buckets: FakeMetrics.buckets(count: 0, median: 2e-4)),
            .init(name: "livez", statuses: [(200, 0)], buckets: FakeMetrics.buckets(count: 0, median: 2e-4)),
            .init(
                name: "metrics", statuses: [(200, second)], buckets: FakeMetrics.buckets(count: second, median: 5e-4)),
            .init(
                name: "other", statuses: [(404, second / 60)],
                buckets: FakeMetrics.buckets(count: second / 60, median: 5e-5)),
            .init(
                name: "readyz", statuses: [(200, second / 5)],
                buckets: FakeMetrics.buckets(count: second / 5, median: 1e-4)),
        ]
    }

    private static func process(_ second: Int, rss: Double, cpu: Double) -> [(name: String, value: Double)] {
        [
            ("process_start_time_seconds", self.end - 270_000), ("process_cpu_seconds_total", Double(second) * cpu),
            ("process_resident_memory_bytes", rss), ("process_open_fds", 91), ("process_max_fds", 20_000),
            ("process_threads", 11), ("http_connections", 64),
        ]
    }

    private static func kvMetrics(_ second: Int, _ sets: Int, _ gets: Int) -> FakeMetrics {
        FakeMetrics(
            handlers: self.handlers("kv", second, sets, gets),
            numbers: self.process(second, rss: 412e6, cpu: 1.38) + [
                ("http_requests_in_flight", 21), ("kv_keys", 1_203_441),
                ("kv_log_appended_bytes_total", Double(sets) * 220),
                ("kv_log_size_bytes", 3.42e9), ("kv_log_appends_total", Double(sets)),
                ("kv_watchers", 118), ("kv_watch_events_total", Double(sets) * 2), ("kv_watch_history_bytes", 67.1e6),
                ("kv_watch_oldest_revision", 1_402_119),
                (#"kv_watch_cut_total{reason="draining"}"#, 9),
                (#"kv_watch_cut_total{reason="lagging"}"#, second > 595 ? 2 : 0),
                ("kv_expiring_keys", 12_304), ("kv_expired_keys_total", Double(second * 40)),
                (#"kv_operations_total{op="set",result="ok"}"#, Double(sets)),
                (#"kv_operations_total{op="set",result="unmet"}"#, Double(second * 3)),
                (#"kv_operations_total{op="txn",result="unmet"}"#, Double(second / 5)),
                ("kv_idempotent_replays_total", Double(second / 10)),
            ],
            histograms: [
                ("kv_log_batch_transactions", FakeMetrics.buckets(count: second * 210, median: 10)),
                ("kv_log_fsync_duration_seconds", FakeMetrics.buckets(count: second * 210, median: 0.001)),
                ("kv_log_commit_duration_seconds", FakeMetrics.buckets(count: second * 210, median: 0.001)),
                ("kv_log_write_duration_seconds", FakeMetrics.buckets(count: second * 210, median: 5e-5)),
            ])
    }

    private static func gatewayMetrics(_ second: Int, _ sets: Int, _ gets: Int) -> FakeMetrics {
        FakeMetrics(
            handlers: self.handlers("api", second, sets, gets),
            numbers: self.process(second, rss: 96e6, cpu: 0.74) + [
                ("http_requests_in_flight", 23), ("gateway_watchers", 64),
                (#"gateway_watch_cut_total{reason="upstream_lost"}"#, 3),
                (#"gateway_watch_cut_total{reason="draining"}"#, 5),
                ("gateway_upstream_requests_total", Double(sets + gets)),
                ("gateway_upstream_retries_total", Double(second / 10)),
                (#"gateway_upstream_failures_total{reason="timeout",upstream="kv-service"}"#, 0),
            ],
            histograms: [
                ("gateway_overhead_duration_seconds", FakeMetrics.buckets(count: sets, median: 5e-5))
            ])
    }
}
