/// Tells the requests of others from kvtop's own among those for the documents that kvtop polls.
///
/// A scrape counts the polls before it; whether it counts the requests for the other documents of its own poll, which go
/// out at the same time, is a matter of chance. So the number of others is the highest of the differences so far: it
/// never falls, and lags behind by those few requests at most.
struct OwnPolls: Sendable {
    /// The handler of `/metrics`, and that of `/admin` and what lies below it.
    static let handlers = ["metrics", "admin"]

    /// Whether requests of this handler may be kvtop's own, so that their figures raise no alarm.
    static func mayHave(_ handler: String) -> Bool { self.handlers.contains(handler) }

    private var sent: [String: Double] = [:]
    private var others: [String: Double] = [:]

    /// Takes a poll that brought no scrape. It is counted as one that reached the service: what is given up is often
    /// answered late.
    mutating func missed(_ result: PollResult) {
        self.sent["metrics", default: 0] += 1
        self.sent["admin", default: 0] += Self.adminRequests(result)
    }

    /// Takes a scrape: notes in it which requests are kvtop's own.
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
        // The scrape itself is under way while it is written.
        snapshot["http_requests_in_flight"] = snapshot["http_requests_in_flight"].map { max(0, $0 - 1) }
    }

    private static func adminRequests(_ result: PollResult) -> Double { result.events == nil ? 1 : 2 }
}
