/// Works out how far the index may grow under the limits of memory.
///
/// What the index frees stays with the process: the allocator gives it out again before it asks the system for more. So
/// what counts as used is what the system sees without that part. How large it is, is known from two sides: it is no
/// more than the index has shrunk since it was largest, and no more than the process has beyond the index compared with
/// when that was least. Pieces that are too small for what comes next are not known; the second threshold is for them.
struct MemoryModel {
    /// The index grows while nine tenths of a limit, or all but 32 MiB, are not in use. The rest is for requests,
    /// documents and a compaction, and for what the next start needs beside the index.
    static func fullBytes(_ limitBytes: Int) -> Int { limitBytes - max(limitBytes / 10, 32 << 20) }

    /// With so much in use as the system sees it, reusable or not, the index does not grow.
    private static let systemRatio = 0.95

    /// Whether a replay must end. It goes on beyond the threshold, for what fitted below it while the service ran must
    /// come back. What is kept is for the threads that start behind it, whose stacks take address space.
    static func endsReplay(_ use: MemoryUse) -> Bool {
        let reserve = max(use.limitBytes / 33, use.source == .addressSpace ? 12 << 20 : 0)
        return use.usedBytes + reserve >= use.limitBytes
    }

    struct Look: Sendable, Equatable {
        /// The limit that is nearest, without what is reusable.
        var nearest: MemoryUse
        /// What the index may take.
        var ceilingBytes: Int
        /// Bytes that the index has freed and the process still has.
        var reusableBytes: Int
        /// Whether the system sees so much in use that the index must not grow, whatever is reusable.
        var isAtSystemLimit: Bool

        /// Bytes by which the index may grow.
        func room(indexBytes: Int) -> Int { self.ceilingBytes - indexBytes }
    }

    private var largestIndexBytes = 0
    /// By limit.
    private var leastOverheads: [String: Int] = [:]

    /// - Parameters:
    ///   - uses: of every limit that holds.
    ///   - indexBytes: read before `uses`.
    /// - Returns: nil without a limit.
    mutating func look(at uses: [MemoryUse], indexBytes: Int) -> Look? {
        self.largestIndexBytes = max(self.largestIndexBytes, indexBytes)
        var look: Look?
        for use in uses where use.limitBytes > 0 {
            let (limit, seen) = (Int(clamping: use.limitBytes), Int(clamping: use.usedBytes))
            let reusable = self.reusableBytes(seen: seen, indexBytes: indexBytes, of: use)
            let isAtSystemLimit = Double(seen) >= Double(limit) * Self.systemRatio
            let room = Self.fullBytes(limit) - (seen - reusable)
            let ceiling = indexBytes + (isAtSystemLimit ? min(room, 0) : room)
            var without = use
            without.usedBytes = UInt64(max(0, seen - reusable))
            guard var nearest = look else {
                look = Look(
                    nearest: without, ceilingBytes: ceiling, reusableBytes: reusable, isAtSystemLimit: isAtSystemLimit)
                continue
            }
            if without.ratio > nearest.nearest.ratio {
                nearest.nearest = without
                nearest.reusableBytes = reusable
            }
            nearest.ceilingBytes = min(nearest.ceilingBytes, ceiling)
            nearest.isAtSystemLimit = nearest.isAtSystemLimit || isAtSystemLimit
            look = nearest
        }
        return look
    }

    private mutating func reusableBytes(seen: Int, indexBytes: Int, of use: MemoryUse) -> Int {
        let name = "\(use.source) \(use.limitBytes)"
        let overhead = seen - indexBytes
        let least = min(self.leastOverheads[name] ?? overhead, overhead)
        self.leastOverheads[name] = least
        return max(0, min(self.largestIndexBytes - indexBytes, overhead - least))
    }
}
