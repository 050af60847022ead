/// The `Server-Timing` field: where the time of a request went, in milliseconds.
enum ServerTiming {
    /// kv-service's own entries, then `upstream`, the time spent waiting for it, and `overhead`, the rest.
    static func text(upstreamEntries: String?, upstreamNanoseconds: UInt64, overheadNanoseconds: UInt64) -> String {
        let entries =
            "upstream;dur=\(self.milliseconds(upstreamNanoseconds)), overhead;dur=\(self.milliseconds(overheadNanoseconds))"
        guard let upstreamEntries, !upstreamEntries.isEmpty else { return entries }
        return "\(upstreamEntries), \(entries)"
    }

    /// With three decimals: microseconds.
    private static func milliseconds(_ nanoseconds: UInt64) -> String {
        let microseconds = (nanoseconds + 500) / 1000
        let decimals = String(microseconds % 1000)
        return "\(microseconds / 1000).\(String(repeating: "0", count: 3 - decimals.utf8.count))\(decimals)"
    }
}
