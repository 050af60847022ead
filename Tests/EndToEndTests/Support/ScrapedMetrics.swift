import TestSupport
import Testing

/// The metrics of a service as a decoder that is not this project's understood them.
struct ScrapedMetrics {
    struct Series {
        let labels: [String: String]
        /// Of counters and gauges.
        let value: Double?
        let count: Double?
        let sum: Double?
        /// Cumulated, by the text of the bound.
        let buckets: [(bound: String, count: Double)]
        let exemplars: [Exemplar]
        let native: Native?
    }

    struct Exemplar {
        let traceID: String
        let value: Double
        let seconds: Double
    }

    struct Native {
        let schema: Int
        let zeroCount: Double
        let buckets: [(index: Int, count: Double)]
        let exemplars: [Exemplar]
    }

    struct Family {
        let type: String
        let help: String
        let unit: String
        let series: [Series]
    }

    let families: [String: Family]

    static let openMetrics = "application/openmetrics-text;version=1.0.0"
    static let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

    /// Scrapes a service, compressed, and lets `read-metrics` decode the answer.
    ///
    /// - Parameter accept: one of the two above.
    init(port: UInt16, accept: String, in folder: TemporaryFolder) throws {
        let answer = try HTTPConnection(port: port).request(
            "GET", "/metrics", headers: [("Accept", accept), ("Accept-Encoding", "gzip")])
        try #require(answer.status == 200)
        try #require(answer["Content-Encoding"] == "gzip")
        try #require(answer["Content-Type"]?.hasPrefix(accept.prefix { $0 != ";" }) == true)
        let packed = folder.file("scrape-\(UInt64.random(in: 0 ... .max)).gz")
        let plain = packed + ".plain"
        try FileText.write(bytes: answer.body, to: packed)
        let unpacking = try Tool.run(Tool.readMetrics, ["gzip", packed, plain], in: folder)
        try #require(unpacking.ending == .exited(0), "\(unpacking.output)")
        let form = accept == Self.protobuf ? "protobuf" : "openmetrics"
        let reading = try Tool.run(Tool.readMetrics, [form, plain], in: folder)
        try #require(reading.ending == .exited(0), "\(reading.output)")
        let families = try #require(try JSONObject(reading.output.utf8).members["families"] as? [String: [String: Any]])
        self.families = families.mapValues { family in
            Family(
                type: family["type"] as? String ?? "", help: family["help"] as? String ?? "",
                unit: family["unit"] as? String ?? "",
                series: (family["series"] as? [[String: Any]] ?? []).map(Self.series))
        }
    }

    /// The one series of a family with these labels and maybe others.
    func series(_ name: String, _ labels: [String: String] = [:]) throws -> Series {
        let family = try #require(self.families[name], "no \(name)")
        return try #require(
            family.series.first { series in labels.allSatisfy { series.labels[$0.key] == $0.value } },
            "no \(name) with \(labels)")
    }

    private static func series(_ series: [String: Any]) -> Series {
        let native = series["native"] as? [String: Any]
        return Series(
            labels: series["labels"] as? [String: String] ?? [:],
            value: series["value"] as? Double, count: series["count"] as? Double, sum: series["sum"] as? Double,
            buckets: (series["buckets"] as? [[Any]] ?? []).map { ($0[0] as? String ?? "", $0[1] as? Double ?? -1) },
            exemplars: Self.exemplars(series["exemplars"]),
            native: native.map { native in
                Native(
                    schema: native["schema"] as? Int ?? 0, zeroCount: native["zero_count"] as? Double ?? -1,
                    buckets: (native["buckets"] as? [[Any]] ?? []).map { ($0[0] as? Int ?? 0, $0[1] as? Double ?? -1) },
                    exemplars: Self.exemplars(native["exemplars"]))
            })
    }

    private static func exemplars(_ list: Any?) -> [Exemplar] {
        (list as? [[Any]] ?? []).map {
            Exemplar(traceID: $0[0] as? String ?? "", value: $0[1] as? Double ?? -1, seconds: $0[2] as? Double ?? 0)
        }
    }
}
