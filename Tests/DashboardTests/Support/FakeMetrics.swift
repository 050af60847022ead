import DashboardModel

/// The text of `/metrics` of a service as a test wants it.
struct FakeMetrics {
    static let bounds = [
        1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1, 2,
        5, 10,
    ]

    struct Handler {
        var name: String
        /// Requests by status.
        var statuses: [(status: Int, count: Int)]
        /// Observations by bucket, one more than there are bounds.
        var buckets: [Int]
    }

    var handlers: [Handler] = []
    var numbers: [(name: String, value: Double)] = []
    var histograms: [(name: String, buckets: [Int])] = []

    /// Observations spread over the buckets about a median, `count` in all: half at the bucket of `median`, the rest
    /// above it, ever fewer.
    static func buckets(count: Int, median: Double) -> [Int] {
        var buckets = Array(repeating: 0, count: self.bounds.count + 1)
        let middle = self.bounds.firstIndex { $0 >= median } ?? self.bounds.count
        buckets[max(0, middle - 1)] = count / 4
        buckets[middle] = count / 2
        var rest = count - count / 4 - count / 2
        var index = middle + 1
        while rest > 0, index < buckets.count - 1 {
            let part = rest == 1 ? 1 : rest * 9 / 10
            buckets[index] = part
            rest -= part
            index += 1
        }
        buckets[min(index, buckets.count - 2)] += rest
        return buckets
    }

    var text: [UInt8] {
        var lines: [String] = ["# HELP http_requests_total Requests answered.", "# TYPE http_requests_total counter"]
        for handler in self.handlers {
            for (status, count) in handler.statuses {
                lines.append(
                    #"http_requests_total{handler="\#(handler.name)",method="GET",status="\#(status)"} \#(count)"#)
            }
        }
        for handler in self.handlers {
            lines += Self.histogram(
                "http_request_duration_seconds", #"handler="\#(handler.name)",method="GET""#, handler.buckets)
        }
        for (name, value) in self.numbers {
            lines.append("\(name) \(value)")
        }
        for (name, buckets) in self.histograms { lines += Self.histogram(name, nil, buckets) }
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    private static func histogram(_ name: String, _ labels: String?, _ buckets: [Int]) -> [String] {
        var lines: [String] = []
        var total = 0
        let prefix = labels.map { "\($0)," } ?? ""
        for (index, bound) in self.bounds.enumerated() {
            total += buckets[index]
            lines.append("\(name)_bucket{\(prefix)le=\"\(bound)\"} \(total)")
        }
        total += buckets[self.bounds.count]
        let suffix = labels.map { "{\($0)}" } ?? ""
        lines.append("\(name)_bucket{\(prefix)le=\"+Inf\"} \(total)")
        lines.append("\(name)_sum\(suffix) \(Double(total) * (name == "kv_log_batch_transactions" ? 7.3 : 0.001))")
        lines.append("\(name)_count\(suffix) \(total)")
        return lines
    }
}
