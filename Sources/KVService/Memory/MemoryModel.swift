/// Computes how far the index may grow under the memory limits.
///
/// Memory that the index frees stays with the process: the allocator reuses it before it asks the system for more. So
/// used memory is what the system counts, without that reusable part. Two bounds give its size: how much the index has
/// shrunk since its maximum, and how much memory the process has outside the index above its minimum. Free pieces that
/// are too small for the next allocation are not known; the second threshold allows for them.
struct MemoryModel {
    /// The index may grow until nine tenths of a limit are in use, and at least 32 MiB stay free. The rest is for
    /// requests, documents and a compaction, and for what the next start needs besides the index.
    static func fullBytes(_ limitBytes: Int) -> Int { limitBytes - max(limitBytes / 10, 32 << 20) }

    /// If the system counts this share as used, reusable or not, the index does not grow.
    private static let systemRatio = 0.95

    /// Whether a replay must end. A replay continues above the threshold of a running service, because what fitted
    /// before must fit again. The reserve is for the threads that start after it, whose stacks need address space.
    static func endsReplay(_ use: MemoryUse) -> Bool {
        let reserve = max(use.limitBytes / 33, use.source == .addressSpace ? 12 << 20 : 0)
        return use.usedBytes + reserve >= use.limitBytes
    }

    struct Look: Sendable, Equatable {
        /// The nearest limit, without reusable memory.
        var nearest: MemoryUse
        /// Maximum size of the index.
        var ceilingBytes: Int
        /// Bytes that the index freed and the process still has.
        var reusableBytes: Int
        /// Bytes outside of the index above their least: of requests and documents, or left from them.
        var otherBytes: Int
        /// Whether the system counts so much as used that the index must not grow, even into reusable memory.
        var isAtSystemLimit: Bool

        /// Bytes by which the index may grow.
        func room(indexBytes: Int) -> Int { self.ceilingBytes - indexBytes }
    }

    private var largestIndexBytes = 0
    /// By limit.
    private var leastOverheads: [String: Int] = [:]

    /// - Parameters:
    ///   - uses: one for every limit.
    ///   - indexBytes: read before `uses`.
    /// - Returns: nil without a limit.
    mutating func look(at uses: [MemoryUse], indexBytes: Int) -> Look? {
        self.largestIndexBytes = max(self.largestIndexBytes, indexBytes)
        var look: Look?
        for use in uses where use.limitBytes > 0 {
            let (limit, seen) = (Int(clamping: use.limitBytes), Int(clamping: use.usedBytes))
            let other = self.otherBytes(seen: seen, indexBytes: indexBytes, of: use)
            let reusable = max(0, min(self.largestIndexBytes - indexBytes, other))
            let isAtSystemLimit = Double(seen) >= Double(limit) * Self.systemRatio
            let room = Self.fullBytes(limit) - (seen - reusable)
            let ceiling = indexBytes + (isAtSystemLimit ? min(room, 0) : room)
            var without = use
            without.usedBytes = UInt64(max(0, seen - reusable))
            guard var nearest = look else {
                look = Look(
                    nearest: without, ceilingBytes: ceiling, reusableBytes: reusable, otherBytes: other,
                    isAtSystemLimit: isAtSystemLimit)
                continue
            }
            if without.ratio > nearest.nearest.ratio {
                nearest.nearest = without
                nearest.reusableBytes = reusable
                nearest.otherBytes = other
            }
            nearest.ceilingBytes = min(nearest.ceilingBytes, ceiling)
            nearest.isAtSystemLimit = nearest.isAtSystemLimit || isAtSystemLimit
            look = nearest
        }
        return look
    }

    private mutating func otherBytes(seen: Int, indexBytes: Int, of use: MemoryUse) -> Int {
        let name = "\(use.source) \(use.limitBytes)"
        let overhead = seen - indexBytes
        let least = min(self.leastOverheads[name] ?? overhead, overhead)
        self.leastOverheads[name] = least
        return overhead - least
    }
}
