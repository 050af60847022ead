import EtcdAPI
import KeyValueStore
import SwiftProtobuf
import Synchronization

/// The leases of keys that expire, shared by all keys that expire at about the same time, and by all services of a store.
///
/// A lease has the number of the second at which it ends, so that services need not tell each other. It ends later than its
/// keys expire: by what it is rounded up, and by a slack for clocks that differ. Any thread.
final class EtcdLeases: Sendable {
    /// What the numbers of leases begin with, so that they are hardly those of anybody else.
    private static let namespace: Int64 = 0x7478 << 48
    /// How much later than its second a lease ends.
    private static let slackSeconds: UInt64 = 5
    /// By what share of the time that is left the second may be rounded up, and by how much at most: fewer leases.
    private static let roundingShare: UInt64 = 64
    private static let longestRounding: UInt64 = 64
    /// etcd's longest, less the slack.
    private static let longestSeconds: UInt64 = 9_000_000_000 - slackSeconds

    private let granted = Mutex<Set<Int64>>([])

    /// The lease of something that expires at a time.
    /// - Parameters:
    ///   - expiresAt: milliseconds since 1970.
    ///   - now: milliseconds since 1970.
    static func number(of expiresAt: UInt64, now: UInt64) -> Int64 {
        let (due, second) = ((max(expiresAt, now) / 1_000) + 1, now / 1_000)
        let share = min((due - second) / Self.roundingShare, Self.longestRounding)
        // The next power of two below, so that times which are near to each other are rounded to the same one.
        let step: UInt64 = share < 2 ? 1 : 1 << UInt64(63 - share.leadingZeroBitCount)
        let rounded: UInt64 = (due + step - 1) / step * step
        let end = min(rounded, second + Self.longestSeconds)
        return Self.namespace | Int64(end)
    }

    /// Asks for those of a batch that are not known yet.
    func grant(_ numbers: Set<Int64>, now: UInt64, by cluster: EtcdCluster, until deadline: ContinuousClock.Instant)
        async throws(EtcdFailure)
    {
        let missing = self.granted.withLock { numbers.subtracting($0) }
        if missing.isEmpty { return }
        let results = await withTaskGroup(of: (Int64, EtcdFailure?).self) { group in
            for number in missing {
                group.addTask { (number, await Self.grant(number, now: now, by: cluster, until: deadline)) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        self.granted.withLock { granted in
            for (number, failure) in results where failure == nil { granted.insert(number) }
            // Those that have ended are of no use any more.
            let ended = Self.namespace | Int64(now / 1_000)
            if granted.count > 1_024, granted.count.isMultiple(of: 256) { granted = granted.filter { $0 > ended } }
        }
        if let failure = results.compactMap(\.1).first { throw failure }
    }

    private static func grant(
        _ number: Int64, now: UInt64, by cluster: EtcdCluster, until deadline: ContinuousClock.Instant
    ) async -> EtcdFailure? {
        let end = UInt64(number & ~Self.namespace)
        let seconds = end - min(end, now / 1_000) + Self.slackSeconds
        do throws(EtcdFailure) {
            // Asking twice does no harm: it exists already then.
            _ = try await cluster.read(until: deadline) {
                try await $0.member.leases.leaseGrant(
                    .with { ($0.id, $0.ttl) = (number, Int64(seconds)) }, metadata: $0.metadata, options: $0.options)
            }
            return nil
        } catch {
            // Another service has asked for it.
            if case .refused(.leaseExists, _) = error { return nil }
            return error
        }
    }

    /// One of these does not exist any more.
    func forget(_ numbers: Set<Int64>) { self.granted.withLock { $0.subtract(numbers) } }
}
