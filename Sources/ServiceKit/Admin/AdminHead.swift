import HTTPServing
import JSON
package import PrometheusMetrics
import SystemSupport

/// The parts of `GET /admin` that both services have.
extension ServiceRuntime {
    /// The first members of every document of this service.
    func writeDocumentHead(to document: inout JSONWriter) {
        document.member("schema_version", 1)
        document.member("service", self.name)
        document.member("instance_id", self.instanceID)
        document.memberTimestamp("now", nanosecondsSince1970: Timestamp.wallClockNanoseconds())
    }

    /// Identity, state and times, the operators' switches, `process` and `http`. Reads `/proc`, which takes some tens
    /// of microseconds.
    func writeAdminHead(to document: inout JSONWriter) {
        let uptime = Timestamp.monotonicNanoseconds() - self.startedMonotonicNanoseconds
        let (state, reason, serving) = self.gate.described
        self.writeDocumentHead(to: &document)
        document.member("version", BuildInfo.version)
        document.member("commit", BuildInfo.commit)
        document.member("swift_version", BuildInfo.swiftVersion)
        document.member("build_type", BuildInfo.buildType)
        document.member("state", state)
        document.member("state_reason", reason)
        document.member("serving", serving)
        document.memberTimestamp("started_at", nanosecondsSince1970: self.startedAtNanoseconds)
        document.member("uptime_seconds", Double(uptime) / 1e9)
        self.gate.writeSwitches(to: &document)
        document.member("log_level", object: self.logLevelControl.write)
        document.member("process", object: Self.writeProcess)
        document.member("http", object: self.writeHTTP)
    }

    private static func writeProcess(_ process: inout JSONWriter) {
        let sample = ProcessMetrics.sample()
        process.member("pid", sample.pid)
        process.member("cpu_seconds", sample.cpuSeconds)
        process.member("resident_memory_bytes", sample.residentMemoryBytes)
        process.member("open_fds", sample.openFDs)
        process.member("max_fds", sample.maxFDs)
        process.member("threads", sample.threads)
    }

    private func writeHTTP(_ http: inout JSONWriter) {
        let routes = self.httpMetrics.summaries(nowNanoseconds: Timestamp.monotonicNanoseconds())
        http.member("connections", self.httpMetrics.connections)
        http.member("connections_max", self.connectionLimit.connections)
        http.member("requests_in_flight", self.httpMetrics.requestsInFlight)
        http.member("requests_total", routes.reduce(0) { $0 + $1.requests })
        http.member("errors_5xx_total", routes.reduce(0) { $0 + $1.errors })
        http.member(
            "routes",
            array: { array in
                for route in routes {
                    array.element(object: { object in
                        object.member("handler", route.handler)
                        object.member("requests_total", route.requests)
                        object.member("errors_total", route.errors)
                        object.member("duration_seconds", object: { $0.writeQuantiles(route.durations) })
                    })
                }
            })
    }
}

extension JSONWriter {
    /// `p50` to `max` of the last minute; null if nothing was recorded.
    package mutating func writeQuantiles(_ quantiles: QuantileWindow.Quantiles) {
        self.member("p50", quantiles.p50)
        self.member("p90", quantiles.p90)
        self.member("p99", quantiles.p99)
        self.member("p999", quantiles.p999)
        self.member("max", quantiles.max)
        self.member("window_seconds", quantiles.windowSeconds)
    }
}
