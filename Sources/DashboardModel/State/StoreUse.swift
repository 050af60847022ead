/// Which operations beside sets, gets and deletes clients of a kv-service have used since it started: only their figures
/// are shown.
public struct StoreUse: OptionSet, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    public static let watches = StoreUse(rawValue: 1)
    public static let expiry = StoreUse(rawValue: 2)
    /// Writes whose condition or check was not met.
    public static let unmetWrites = StoreUse(rawValue: 4)
    /// Writes that were answered like an earlier one.
    public static let replays = StoreUse(rawValue: 8)

    /// What the figures of one scrape show; the union of all is complete.
    init(_ metrics: MetricsSnapshot) {
        func isPositive(_ names: String...) -> Bool { names.contains { (metrics[$0] ?? 0) > 0 } }
        var use: StoreUse = []
        if isPositive("kv_watchers", "kv_watch_events_total", "kv_watch_cut_total") { use.insert(.watches) }
        if isPositive("kv_expiring_keys", "kv_expired_keys_total") { use.insert(.expiry) }
        if metrics.unmetWrites ?? 0 > 0 { use.insert(.unmetWrites) }
        if isPositive("kv_idempotent_replays_total") { use.insert(.replays) }
        self = use
    }

    /// Lines that its figures take: one for watches, one for all others.
    public var lines: Int { (self.contains(.watches) ? 1 : 0) + (self.subtracting(.watches).isEmpty ? 0 : 1) }
}
