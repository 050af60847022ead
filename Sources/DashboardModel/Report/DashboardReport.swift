public import JSON

/// The dashboard as one JSON document: raw numbers in base units, null for unknown figures, no texts to parse.
public enum DashboardReport {
    public static let schemaVersion = 1

    public static func write(_ dashboard: Dashboard, to writer: inout JSONWriter) {
        writer.object { document in
            document.member("schema_version", self.schemaVersion)
            document.member("at", Timestamp.rfc3339(secondsSince1970: dashboard.wallTime))
            document.member("alarms", dashboard.alarmCount)
            document.member(
                "targets",
                array: { array in
                    for target in dashboard.targets { array.element(object: { self.write(target, to: &$0) }) }
                })
            document.member(
                "events",
                array: { array in
                    for event in dashboard.events { array.element(object: { self.write(event, to: &$0) }) }
                })
        }
        writer.newline()
    }

    private static func write(_ event: DashboardEvent, to object: inout JSONWriter) {
        object.member("at", Timestamp.rfc3339(secondsSince1970: event.at))
        object.member("source", event.source)
        object.member("level", event.level.name)
        object.member("text", event.text)
    }

    private static func write(_ target: TargetState, to object: inout JSONWriter) {
        object.member("name", target.target.name)
        object.member("role", target.target.role.rawValue)
        object.member("url", target.target.url)
        object.member("availability", target.availability.rawValue)
        object.member("failure", target.failure?.reason)
        object.member("state", target.admin?.state)
        object.member(
            "conditions",
            array: { array in
                for condition in target.conditions {
                    array.element(object: { object in
                        object.member("level", condition.level.name)
                        object.member("text", condition.text)
                    })
                }
            })
        object.member("version", target.admin?.version)
        object.member("uptime_seconds", target.admin?.uptimeSeconds)
        object.member("round_trip_seconds", target.roundTripSeconds)
        object.member("requests_in_flight", target.metrics?["http_requests_in_flight"])
        object.member("connections", target.metrics?["http_connections"])
        object.member("resident_memory_bytes", target.metrics?["process_resident_memory_bytes"])
        object.member("cpu_cores", target.figures?.cpu)
        object.member("polls", target.session.polls)
        object.member("missed_polls", target.session.missedPolls)
        object.member("restarts", target.session.restarts)
        object.member("window_seconds", target.figures?.windowSeconds)
        object.member(
            "handlers",
            array: { array in
                for row in target.figures?.handlers ?? [] { array.element(object: { self.write(row, to: &$0) }) }
            })
        self.write("data_total", target.figures?.data, to: &object)
        switch target.target.role {
        case .kvService: self.writeStore(target, to: &object)
        case .gateway: self.writeUpstreams(target, to: &object)
        }
    }

    private static func write(_ name: StaticString, _ row: HandlerFigures?, to object: inout JSONWriter) {
        if let row { object.member(name, object: { self.write(row, to: &$0) }) } else { object.memberNull(name) }
    }

    private static func write(_ row: HandlerFigures, to object: inout JSONWriter) {
        object.member("handler", row.name)
        object.member("requests_per_second", row.rate)
        object.member("requests", row.counts.traffic)
        object.member("error_ratio", row.errorRatio)
        object.member("client_error_ratio", row.clientErrorRatio)
        object.member("duration_seconds", object: { self.writeQuantiles(row.counts.durations, to: &$0) })
        object.member("alarm", row.level.name)
    }

    /// If a quantile is outside the bounds, `below` or `above` contains the bound, and the number is null.
    private static func writeQuantiles(_ histogram: HistogramCounts, to object: inout JSONWriter) {
        let parts: [(StaticString, StaticString, StaticString, Double)] = [
            ("p50", "p50_below", "p50_above", 0.5), ("p95", "p95_below", "p95_above", 0.95),
            ("p99", "p99_below", "p99_above", 0.99),
        ]
        for (name, below, above, part) in parts {
            switch histogram.quantile(part) {
            case .none: object.memberNull(name)
            case .value(let value): object.member(name, value)
            case .below(let bound):
                object.memberNull(name)
                object.member(below, bound)
            case .above(let bound):
                object.memberNull(name)
                object.member(above, bound)
            }
        }
        object.member("mean", histogram.mean)
        object.member("count", histogram.count)
    }

    private static func writeStore(_ target: TargetState, to object: inout JSONWriter) {
        object.member("keys", target.keys)
        object.member("expiring_keys", target.metrics?["kv_expiring_keys"])
        object.member("expired_per_second", target.figures?.expiredRate)
        object.member("unmet_writes_per_second", target.figures?.unmetRate)
        object.member("idempotent_replays_per_second", target.figures?.replayRate)
        object.member("watchers", target.metrics?["kv_watchers"])
        object.member("watch_events_per_second", target.figures?.watchEventRate)
        object.member("watchers_cut_as_lagging", target.metrics?.laggingWatchers)
        object.member("watch_oldest_revision", target.metrics?["kv_watch_oldest_revision"])
        object.member(
            "log",
            object: { log in
                log.member("size_bytes", target.logSizeBytes)
                log.member("live_bytes", target.logLiveBytes)
                log.member("garbage_ratio", target.garbageRatio)
                log.member("segments", target.admin?.log?.segmentCount)
                log.member("snapshot_bytes", target.admin?.log?.snapshot?.sizeBytes)
                log.member("snapshot_parts", target.admin?.log?.snapshot?.parts)
                log.member("snapshot_revision", target.admin?.log?.snapshot?.revision)
                log.member("state", target.admin?.log?.state)
                log.member("fsync_policy", target.admin?.log?.syncPolicy)
                log.member("appends_per_second", target.figures?.appendsRate)
                log.member("appended_bytes_per_second", target.figures?.appendedBytesRate)
                log.member("fsyncs_per_second", target.figures?.syncRate)
                log.member(
                    "fsync_seconds", object: { self.writeQuantiles(target.figures?.sync ?? HistogramCounts(), to: &$0) }
                )
                log.member("filesystem_available_bytes", target.admin?.log?.fileSystemAvailableBytes)
            })
        guard let compaction = target.admin?.compaction else {
            object.memberNull("compaction")
            return
        }
        object.member(
            "compaction",
            object: { object in
                object.member("state", compaction.state)
                object.member("running", compaction.isRunning)
                object.member("phase", compaction.phase)
                object.member("progress_ratio", compaction.progress)
                object.member("bytes_read", compaction.bytesRead)
                object.member("bytes_written", compaction.bytesWritten)
                object.member("eta_seconds", compaction.etaSeconds)
                object.member("runs_total", compaction.runs)
                object.member("consecutive_failures", compaction.consecutiveFailures)
                object.member("last_result", compaction.last?.result)
                object.member("last_started_at", compaction.last?.startedAt)
                object.member("last_freed_bytes", compaction.last?.freedBytes)
            })
    }

    private static func writeUpstreams(_ target: TargetState, to object: inout JSONWriter) {
        object.member("upstream_retries_per_second", target.figures?.retryRate)
        object.member("upstream_timeouts_per_second", target.figures?.timeoutRate)
        object.member("upstream_failures_per_second", target.figures?.failureRate)
        object.member(
            "upstreams",
            array: { array in
                for upstream in target.admin?.upstreams ?? [] {
                    array.element(object: { object in
                        object.member("name", upstream.name)
                        object.member("state", upstream.state)
                        object.member("up", upstream.isUp)
                        object.member("circuit", upstream.circuit)
                        object.member("connections_active", upstream.connectionsActive)
                        object.member("connections_idle", upstream.connectionsIdle)
                        object.member("requests_waiting", upstream.requestsWaiting)
                    })
                }
            })
    }
}

extension AlarmLevel {
    var name: String {
        switch self {
        case .none: "none"
        case .warning: "warning"
        case .critical: "critical"
        }
    }
}

extension DashboardEvent.Level {
    var name: String {
        switch self {
        case .info: "info"
        case .warning: "warning"
        case .error: "error"
        }
    }
}
