/// Separates the requests of others from kvtop's own, for the documents that kvtop polls.
///
/// A scrape counts the polls before it. Whether it counts the requests for the other documents of its own poll, which
/// are sent at the same time, is random. So the number of requests of others is the highest difference so far: it never
/// decreases, and is late by at most those few requests.
struct OwnPolls: Sendable {
    /// The handler of `/metrics`, and that of `/admin` and the paths below it.
    static let handlers = ["metrics", "admin"]

    /// Whether requests of this handler may be kvtop's own; then its figures raise no alarm.
    static func mayHave(_ handler: String) -> Bool { self.handlers.contains(handler) }

    private var sent: [String: Double] = [:]
    private var others: [String: Double] = [:]

    /// Processes a poll without a scrape. It counts as one that reached the service: a request that timed out is often
    /// answered later.
    mutating func missed(_ result: PollResult) {
        self.sent["metrics", default: 0] += 1
        self.sent["admin", default: 0] += Self.adminRequests(result)
    }

    /// Processes a scrape: marks in it which requests are kvtop's own.
    mutating func subtract(from snapshot: inout MetricsSnapshot, _ result: PollResult) {
        self.sent["admin", default: 0] += Self.adminRequests(result)
        for index in snapshot.handlers.indices where Self.mayHave(snapshot.handlers[index].name) {
            let name = snapshot.handlers[index].name
            let requests = snapshot.handlers[index].requests
            let others = max(self.others[name] ?? requests, requests - (self.sent[name] ?? 0))
            self.others[name] = others
            snapshot.handlers[index].ownRequests = requests - others
        }
        self.sent["metrics", default: 0] += 1
        // The scrape itself is in progress while it is written.
        snapshot["http_requests_in_flight"] = snapshot["http_requests_in_flight"].map { max(0, $0 - 1) }
    }

    private static func adminRequests(_ result: PollResult) -> Double { result.events == nil ? 1 : 2 }
}
