import Glibc
import TestSupport

/// One file: its bytes as a process reads them, and as the device holds them.
///
/// The fault model: until a sync, each 512-byte sector of what was written may be on the device, missing, torn or
/// garbled, and the file's new size may count or not. Bytes that were not written since the last sync are never
/// harmed by a write next to them, not even in the same sector.
struct SimulatedInode: Sendable {
    static let sectorBytes = 512

    /// The page cache.
    private(set) var cached: [UInt8] = []
    /// The device.
    private(set) var durable: [UInt8] = []
    /// Written since the last sync.
    private var dirty = RangeSet<Int>()
    /// Written before a sync that failed: still in the cache, not on the device, and no later sync writes it.
    private var dropped = RangeSet<Int>()

    init() {}

    /// A file that has been on the device for long.
    init(durable bytes: [UInt8]) {
        self.cached = bytes
        self.durable = bytes
    }

    mutating func write(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        let end = offset + bytes.count
        if self.cached.count < end {
            self.cached += Self.zeros(end - self.cached.count)
        }
        self.cached.replaceSubrange(offset..<end, with: bytes)
        self.dirty.insert(contentsOf: offset..<end)
        self.dropped.remove(contentsOf: offset..<end)
    }

    mutating func truncate(to size: Int) {
        if size < self.cached.count {
            self.cached.removeLast(self.cached.count - size)
            self.dirty.remove(contentsOf: size..<Int.max)
            self.dropped.remove(contentsOf: size..<Int.max)
        } else {
            self.cached += Self.zeros(size - self.cached.count)
        }
    }

    mutating func sync() {
        self.durable = Self.resized(self.durable, to: self.cached.count)
        for range in self.dirty.ranges { self.durable.replaceSubrange(range, with: self.cached[range]) }
        self.dirty = RangeSet()
    }

    mutating func failSync() {
        self.dropped.formUnion(self.dirty)
        self.dirty = RangeSet()
    }

    /// Clean pages leave the cache: the next read sees the device.
    mutating func forgetCache() {
        for range in self.dropped.ranges {
            for index in range { self.cached[index] = index < self.durable.count ? self.durable[index] : 0 }
        }
        self.dropped = RangeSet()
    }

    /// What the device holds after a power cut.
    func crashed(_ odds: CrashOdds, using generator: inout SeededGenerator) -> SimulatedInode {
        var size = self.durable.count
        if self.cached.count != size {
            if generator.chance(odds.keepsData) {
                size = self.cached.count
            } else if self.cached.count > size, generator.chance(odds.damages) {
                size = Int.random(in: size...self.cached.count, using: &generator)
            }
        }
        var bytes = Self.resized(self.durable, to: size)
        for range in self.dirty.ranges {
            var start = range.lowerBound
            while start < min(range.upperBound, size) {
                let sectorEnd = (start / Self.sectorBytes + 1) * Self.sectorBytes
                let end = min(sectorEnd, range.upperBound, size)
                Self.settle(start..<end, of: &bytes, new: self.cached, odds, using: &generator)
                start = end
            }
        }
        return SimulatedInode(durable: bytes)
    }

    private static func settle(
        _ range: Range<Int>, of bytes: inout [UInt8], new: [UInt8], _ odds: CrashOdds,
        using generator: inout SeededGenerator
    ) {
        if generator.chance(odds.damages) {
            if generator.chance(0.5) {
                let torn = Int.random(in: range.lowerBound...range.upperBound, using: &generator)
                bytes.replaceSubrange(range.lowerBound..<torn, with: new[range.lowerBound..<torn])
            } else {
                bytes.replaceSubrange(range, with: generator.bytes(range.count))
            }
        } else if generator.chance(odds.keepsData) {
            bytes.replaceSubrange(range, with: new[range])
        }
    }

    private static func resized(_ bytes: [UInt8], to size: Int) -> [UInt8] {
        if size == bytes.count { return bytes }
        if size < bytes.count { return Array(bytes[..<size]) }
        return bytes + Self.zeros(size - bytes.count)
    }

    /// As `repeatElement`, which takes a step per byte in a build for debugging.
    private static func zeros(_ count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            unsafe memset(buffer.baseAddress!, 0, count)
            initialized = count
        }
    }
}

/// How likely a power cut keeps what was not synced, drawn anew for each crash: some lose all, some keep all,
/// most mix.
struct CrashOdds: Sendable {
    let keepsData: Double
    let keepsEntries: Double
    let damages: Double

    init(using generator: inout SeededGenerator) {
        let shares = [0, 0.2, 0.5, 0.8, 1]
        self.keepsData = shares.randomElement(using: &generator)!
        self.keepsEntries = shares.randomElement(using: &generator)!
        self.damages = [0, 0, 0.1, 0.5].randomElement(using: &generator)!
    }
}
