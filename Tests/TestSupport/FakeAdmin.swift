/// The text of `/admin` of two services during ten minutes, as the tests of kvtop show them.
///
/// Members are left out, as those of an older service are; a test holds what is there to the schemas in `Docs/Schemas`.
package enum FakeAdmin {
    package enum Compaction {
        case running, idle, notReported
    }

    package static func kv(_ second: Int, _ compaction: Compaction) -> String {
        let member: String
        let last = """
            {"trigger":"garbage","result":"ok","started_at":"2026-11-22T13:21:07.000Z","duration_seconds":22.1,
             "bytes_before":4320000000,"bytes_after":3420000000,"keys_kept":1180233,"keys_dropped":702114,
             "throttled_seconds":0.41,"error":null}
            """
        switch compaction {
        case .notReported: member = ""
        case .idle:
            member = """
                ,"compaction":{"running":false,"state":"idle","phase":null,"progress_ratio":null,"last":\(last),
                 "runs_total":31,"failures_total":0,"consecutive_failures":0,"retry_at":null,
                 "last_success_at":"2026-11-22T13:21:29.100Z","blocked_by":null,"threshold_ratio":0.5,"minimum_bytes":67108864}
                """
        case .running:
            // From the second 586 on: 64 % at the second 600.
            let isRunning = second >= 586
            let progress = min(1, max(0, Double(second - 586) * 0.0458))
            let run = """
                {"id":32,"trigger":"garbage","bytes_read":\(Int(progress * 640e6)),
                 "bytes_written":\(Int(progress * 184e6)),"keys_kept":\(Int(progress * 1e6)),
                 "throttled_seconds":0.12,"eta_seconds":8}
                """
            member = """
                ,"compaction":{"running":\(isRunning),"phase":\(isRunning ? "\"snapshot\"" : "null"),
                 "progress_ratio":\(isRunning ? "\(progress)" : "null"),"run":\(isRunning ? run : "null"),"last":\(last),
                 "runs_total":31,"failures_total":0,"consecutive_failures":0,"retry_at":null,
                 "last_success_at":"2026-11-22T13:21:29.100Z","blocked_by":null,"threshold_ratio":0.5,"minimum_bytes":67108864}
                """
        }
        let log =
            compaction == .notReported
            ? #""size_bytes":4384"#
            : #""size_bytes":3420000000,"live_bytes":2430000000,"garbage_ratio":0.2895,"snapshot_bytes":1204000000,"#
                + #""snapshot_live_bytes":1180000000,"snapshot_parts":2"#
        return """
            {"schema_version":1,"service":"kv-service","instance_id":"7af0baa88b73eede","version":"0.1.0",
             "state":"ready","state_reason":null,"uptime_seconds":\(270_000 - 600 + second),"process":{"pid":4121},
             "read_only":{"enabled":false},"drain":{"enabled":false},
             "http":{"connections":64,"connections_max":10000},
             "store":{"keys":1203441,"key_bytes":19000000,"value_bytes":2400000000},
             "log":{"path":"/var/lib/kv","state":"ok",\(log),"fsync_policy":"always","warning":null,"last_error":null,
               "lost_revisions":0,"scrub":{"findings_total":0},
               "pending_appends":3,"segments":[\(self.segments(compaction))],
               "filesystem":{"size_bytes":100000000000,"available_bytes":41000000000}}
             \(member),"checks":[{"name":"log_writable","status":"ok","message":null}]}
            """
    }

    private static func segments(_ compaction: Compaction) -> String {
        let count = compaction == .notReported ? 1 : 14
        return (1...count).map { number in
            let name = "00000000000000\(number < 10 ? "0" : "")\(number)-0000000000\(100_000 + number * 731).log"
            let live =
                compaction == .notReported
                ? "" : ",\"live_bytes\":\(number == count ? 79_000_000 : 90_000_000 + number * 11_000_000)"
            return """
                {"name":"\(name)","first_revision":\(100_000 + number * 731),"size_bytes":\(number == count ? 84_000_000 : 256_000_000)\(live),
                 "sealed":\(number != count)}
                """
        }.joined(separator: ",")
    }

    /// A gateway with three upstreams, one of which is lost.
    package static func severalUpstreams(_ second: Int) -> String {
        func upstream(_ name: String, _ state: String, isUp: Bool, circuit: String, busy: Int) -> String {
            """
            {"name":"\(name)","base_url":"http://127.0.0.1:8081","prefixes":["\(name)/"],"state":"\(state)","up":\(isUp),
             "ready":\(state == "ready"),"last_error":null,
             "connections":{"idle":12,"active":\(busy),"connecting":0,"max":128},"requests_waiting":0,
             "requests_in_flight":\(busy),"circuit":{"state":"\(circuit)","opened_at":null}}
            """
        }
        let upstreams = [
            upstream("orders", "ready", isUp: true, circuit: "closed", busy: 8),
            upstream("customers-eu", "unreachable", isUp: false, circuit: "open", busy: 0),
            upstream("main", "draining", isUp: true, circuit: "closed", busy: 31),
        ]
        return """
            {"schema_version":1,"service":"api-gateway","version":"0.1.0","state":"ready","state_reason":null,
             "uptime_seconds":\(270_000 - 600 + second),"http":{"connections":64,"connections_max":10000},
             "upstreams":[\(upstreams.joined(separator: ","))],
             "checks":[{"name":"any_upstream","status":"ok","message":null},
              {"name":"every_upstream","status":"warning","message":"customers-eu cannot be reached"}]}
            """
    }

    package static func gateway(_ second: Int) -> String {
        """
        {"schema_version":1,"service":"api-gateway","version":"0.1.0","state":"ready","state_reason":null,
         "uptime_seconds":\(270_000 - 600 + second),"http":{"connections":64,"connections_max":10000},
         "upstreams":[{"name":"kv-service","base_url":"http://127.0.0.1:8081","up":true,
           "last_error":{"at":"2026-11-22T13:58:44.000Z","reason":"connect","message":"connection refused"},
           "connections":{"idle":12,"active":8,"connecting":0,"max":128},"requests_waiting":0,
           "requests_in_flight":8,"circuit":{"state":"closed","opened_at":null}}],
         "checks":[{"name":"upstream_reachable","status":"ok","message":null}]}
        """
    }
}
