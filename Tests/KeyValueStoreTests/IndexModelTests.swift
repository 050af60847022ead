import Glibc
import Synchronization
import TestSupport
import Testing

@testable import KeyValueStore

/// The key with a number. Numbers in the same shape that differ may give the same key.
enum KeyShape: CaseIterable {
    /// Shared prefixes, keys that are prefixes of others, and bytes of all values.
    case mixed
    /// All begin with the same 100 bytes; some are shorter than that.
    case longPrefix
    /// Two or more of them differ only in zero bytes at the end.
    case zeros
    /// Groups that share eight or more bytes behind what all share, so that heads are equal.
    case equalHeads
    /// One to three bytes.
    case short

    func key(_ number: Int) -> [UInt8] {
        switch self {
        case .mixed:
            switch number % 3 {
            case 0: return Array("key:\(number)".utf8)
            case 1: return Array(repeating: UInt8(number % 7), count: 1 + number / 3 % 300)
            default: return [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number), 0]
            }
        case .longPrefix:
            let prefix = [UInt8](repeating: 0x70, count: 100)
            return number % 50 == 0 ? Array(prefix.prefix(1 + number / 50 % 100)) : prefix + Array("\(number)".utf8)
        case .zeros:
            let stem = number / 12 % 2 == 0 ? Array("\(number / 12)".utf8) : [0, 0, UInt8(number / 12 % 251)]
            return stem + Array(repeating: 0, count: number % 12)
        case .equalHeads:
            let group = Array("group-\(number % 5)-of-the-same-bytes-".utf8)
            return group + Array(repeating: UInt8(number / 5 % 3), count: 8) + Array("\(number)".utf8)
        case .short:
            return withUnsafeBytes(of: UInt32(truncatingIfNeeded: number).bigEndian) {
                Array($0.suffix(1 + number % 3))
            }
        }
    }
}

/// The index beside a dictionary with the same content.
private struct ModelRun {
    let index = Index()
    let reader: Index.Reader
    var generator: SeededGenerator
    typealias Record = (value: [UInt8], revision: UInt64, expiresAt: UInt64)

    var published: [[UInt8]: Record] = [:]
    var staged: [[UInt8]: Record] = [:]
    var revision: UInt64 = 0
    let shape: KeyShape
    let keySpace: Int

    init(seed: UInt64, shape: KeyShape = .mixed, keySpace: Int) {
        self.generator = SeededGenerator(seed: seed)
        self.reader = self.index.makeReader()
        self.shape = shape
        self.keySpace = keySpace
    }

    mutating func randomKey() -> [UInt8] { self.shape.key(Int.random(in: 0..<self.keySpace, using: &self.generator)) }

    /// 0 for never. Some come often, most of a leaf expire at different times.
    private mutating func randomExpiry() -> UInt64 {
        switch Int.random(in: 0..<4, using: &self.generator) {
        case 0: UInt64.random(in: 1...5, using: &self.generator)
        case 1: UInt64.random(in: 1...1_000, using: &self.generator)
        default: 0
        }
    }

    mutating func batch(size: Int, deletesPerTen: Int, mayRollBack: Bool = true) throws {
        let before = self.revision
        for _ in 0..<size {
            let key = self.randomKey()
            if Int.random(in: 0..<10, using: &self.generator) < deletesPerTen {
                try #require(self.index.drop(key) == (self.staged.removeValue(forKey: key) != nil))
            } else {
                self.revision += 1
                let value = Array("\(self.revision)".utf8)
                let expiresAt = self.randomExpiry()
                let existed = self.staged.updateValue((value, self.revision, expiresAt), forKey: key) != nil
                try #require(
                    self.index.put(key, value, revision: self.revision, expiresAt: expiresAt) == existed)
            }
        }
        if mayRollBack && Int.random(in: 0..<4, using: &self.generator) == 0 {
            self.index.rollBack()
            self.staged = self.published
            self.revision = before
        } else {
            self.index.publish(revision: self.revision)
            self.published = self.staged
        }
    }

    mutating func check() throws {
        for _ in 0..<20 {
            let key = self.randomKey()
            let found = self.reader.value(key)
            try #require(found?.0 == self.published[key]?.0)
            try #require(found?.1 == self.published[key]?.1)
        }
    }

    func checkFigures() throws {
        let figures = self.index.figures
        try #require(figures.keys == self.published.count)
        try #require(figures.keyBytes == self.published.keys.reduce(0) { $0 + $1.count })
        try #require(figures.valueBytes == self.published.values.reduce(0) { $0 + $1.0.count })
    }

    mutating func checkOrder() throws {
        let sorted = self.published.keys.sorted(by: Self.precedes)
        try #require(self.reader.all() == sorted)
        let start = self.randomKey()
        try #require(self.reader.all(from: start) == sorted.filter { !Self.precedes($0, start) })
        let end = Bool.random(using: &self.generator) ? self.randomKey() : nil
        let range = KeyRange(start: start, end: end)
        let now = UInt64.random(in: 0...3, using: &self.generator) * UInt64.random(in: 0...400, using: &self.generator)
        let within = sorted.filter { key in
            if let expiresAt = self.published[key]?.expiresAt, expiresAt != 0, expiresAt <= now { return false }
            return !Self.precedes(key, start) && end.map { Self.precedes(key, $0) } != false
        }
        for limit in [Int.max, 1 + within.count / 2] {
            let forward = self.reader.keys(in: range, isReversed: false, at: now, limit: limit)
            try #require(forward.keys == Array(within.prefix(limit)))
            let backward = self.reader.keys(in: range, isReversed: true, at: now, limit: limit)
            try #require(backward.keys == Array(within.reversed().prefix(limit)))
            try #require(forward.revision == self.revision && backward.revision == self.revision)
            try #require(forward.count == within.count)
        }
    }

    /// As `lexicographicallyPrecedes`, which takes several times as long in a debug build.
    private static func precedes(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        let order = one.withUnsafeBytes { one in
            other.withUnsafeBytes { other in
                // Keys are not empty.
                memcmp(one.baseAddress!, other.baseAddress!, min(one.count, other.count))
            }
        }
        return order == 0 ? one.count < other.count : order < 0
    }

    /// Nothing is retired after a batch, because nobody reads.
    func checkStructure() throws {
        try #require(try IndexStructure(of: self.index).bytes == self.index.allocatedBytes)
        try #require(self.index.retiredCount == 0)
    }
}

@Suite("The index agrees with a dictionary", .timeLimit(.minutes(1)))
struct IndexModelTests {
    @Test("after random batches of sets, deletes and roll-backs", arguments: KeyShape.allCases, [3, 40, 1_000, 20_000])
    func randomBatches(shape: KeyShape, keySpace: Int) throws {
        let seed = UInt64.random(in: .min ... .max)
        print("index model seed \(seed), \(shape), \(keySpace) keys")
        var run = ModelRun(seed: seed, shape: shape, keySpace: keySpace)
        for round in 0..<300 {
            try run.batch(size: 1 + round % 97, deletesPerTen: round % 100 < 50 ? 2 : 8)
            try run.check()
            if round % 20 == 19 {
                try run.checkOrder()
                try run.checkFigures()
                try run.checkStructure()
            }
        }
    }

    @Test("in large batches, over which it grows to three levels and shrinks", arguments: KeyShape.allCases)
    func largeBatches(shape: KeyShape) throws {
        let seed = UInt64.random(in: .min ... .max)
        print("large batches seed \(seed), \(shape)")
        var run = ModelRun(seed: seed, shape: shape, keySpace: 30_000)
        var levels = 0
        for round in 0..<4 {
            try run.batch(size: 6_000, deletesPerTen: round < 3 ? 1 : 9, mayRollBack: round == 1)
            try run.check()
            try run.checkOrder()
            try run.checkFigures()
            try run.checkStructure()
            levels = max(levels, try IndexStructure(of: run.index).levels)
        }
        #expect(levels >= 3)
    }

    @Test("and its own count of what it takes comes back to that of an empty one")
    func allocatedBytes() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("index memory seed \(seed)")
        var run = ModelRun(seed: seed, keySpace: 2_000)
        for round in 0..<200 { try run.batch(size: 1 + round % 97, deletesPerTen: round % 100 < 50 ? 2 : 7) }
        let least = run.published.reduce(0) { $0 + 16 + $1.key.count + $1.value.0.count }
        #expect(run.index.allocatedBytes > least && run.index.allocatedBytes < 4 * least + 65_536)
        for key in run.published.keys { _ = run.index.drop(key) }
        // Replaced nodes are freed by the next publications.
        for _ in 0..<3 { run.index.publish(revision: run.revision) }
        #expect(run.index.allocatedBytes == Index().allocatedBytes)
        #expect(run.index.memory.bytes.load(ordering: .relaxed) == Index().allocatedBytes)
    }

    @Test("while it grows to 50,000 keys in order and shrinks to none again")
    func growAndShrink() throws {
        let index = Index()
        let reader = index.makeReader()
        let keys = (0..<50_000).map { Array(String(1_000_000 + $0).utf8) }
        for (revision, key) in keys.enumerated() {
            _ = index.put(key, [1], revision: UInt64(revision + 1))
            if revision % 1_000 == 999 { index.publish(revision: UInt64(revision + 1)) }
        }
        #expect(reader.all() == keys)
        for (number, key) in keys.enumerated() {
            #expect(index.drop(key))
            if number % 100 == 99 {
                index.publish(revision: 50_000)
                try #require(reader.all() == Array(keys[(number + 1)...]))
            }
        }
        #expect(index.figures == Index.Figures())
        #expect(reader.all().isEmpty)
    }
}
