import Synchronization
import Testing

@testable import KeyValueStore

/// A generator that can be repeated from its seed (SplitMix64, Steele, Lea and Flood 2014).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension Index {
    fileprivate func put(_ key: [UInt8], _ value: [UInt8], revision: UInt64) -> Bool {
        let entry = Entry.make(key: key, value: value)
        entry.revision = revision
        return self.set(entry) != nil
    }

    fileprivate func drop(_ key: [UInt8]) -> Bool { key.withUnsafeBytes { self.remove($0) != nil } }
}

extension Index.Reader {
    fileprivate func value(_ key: [UInt8]) -> ([UInt8], UInt64)? {
        key.withUnsafeBytes { self.withEntry($0) { entry in entry.map { (Array($0.value), $0.revision) } } }
    }

    fileprivate func all(from start: [UInt8] = []) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        start.withUnsafeBytes {
            self.walk(from: $0) {
                keys.append(Array($0.key))
                return true
            }
        }
        return keys
    }
}

final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { self.value.load(ordering: .acquiring) }
    func set() { self.value.store(true, ordering: .releasing) }
}

/// The index beside a dictionary with the same content.
private struct ModelRun {
    let index = Index()
    let reader: Index.Reader
    var generator: SeededGenerator
    var published: [[UInt8]: ([UInt8], UInt64)] = [:]
    var staged: [[UInt8]: ([UInt8], UInt64)] = [:]
    var revision: UInt64 = 0
    let keySpace: Int

    init(seed: UInt64, keySpace: Int) {
        self.generator = SeededGenerator(seed: seed)
        self.reader = self.index.makeReader()
        self.keySpace = keySpace
    }

    mutating func randomKey() -> [UInt8] {
        let number = Int.random(in: 0..<self.keySpace, using: &self.generator)
        // Shared prefixes, keys that are prefixes of others, and bytes of all values.
        switch number % 3 {
        case 0: return Array("key:\(number)".utf8)
        case 1: return Array(repeating: UInt8(number % 7), count: 1 + number / 3 % 300)
        default: return [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number), 0]
        }
    }

    mutating func batch(size: Int, deletesPerTen: Int) throws {
        let before = self.revision
        for _ in 0..<size {
            let key = self.randomKey()
            if Int.random(in: 0..<10, using: &self.generator) < deletesPerTen {
                try #require(self.index.drop(key) == (self.staged.removeValue(forKey: key) != nil))
            } else {
                self.revision += 1
                let value = Array("\(self.revision)".utf8)
                let existed = self.staged.updateValue((value, self.revision), forKey: key) != nil
                try #require(self.index.put(key, value, revision: self.revision) == existed)
            }
        }
        if Int.random(in: 0..<4, using: &self.generator) == 0 {
            self.index.rollBack()
            self.staged = self.published
            self.revision = before
        } else {
            self.index.publish()
            self.index.publishedRevision = self.revision
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
        let figures = self.index.figures
        try #require(figures.keys == self.published.count)
        try #require(figures.keyBytes == self.published.keys.reduce(0) { $0 + $1.count })
        try #require(figures.valueBytes == self.published.values.reduce(0) { $0 + $1.0.count })
    }

    mutating func checkOrder() throws {
        let sorted = self.published.keys.sorted { $0.lexicographicallyPrecedes($1) }
        try #require(self.reader.all() == sorted)
        let start = self.randomKey()
        try #require(self.reader.all(from: start) == sorted.filter { !$0.lexicographicallyPrecedes(start) })
    }
}

@Suite("The index agrees with a dictionary")
struct IndexModelTests {
    @Test("after random batches of sets, deletes and roll-backs", arguments: [3, 40, 1_000, 20_000])
    func randomBatches(keySpace: Int) throws {
        let seed = UInt64.random(in: .min ... .max)
        print("index model seed \(seed), \(keySpace) keys")
        var run = ModelRun(seed: seed, keySpace: keySpace)
        for round in 0..<300 {
            try run.batch(size: 1 + round % 97, deletesPerTen: round % 100 < 50 ? 2 : 8)
            try run.check()
            if round % 10 == 0 { try run.checkOrder() }
        }
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
        for _ in 0..<3 { run.index.publish() }
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
            if revision % 1_000 == 999 { index.publish(); index.publishedRevision = UInt64(revision + 1) }
        }
        #expect(reader.all() == keys)
        for (number, key) in keys.enumerated() {
            #expect(index.drop(key))
            if number % 100 == 99 {
                index.publish()
                try #require(reader.all() == Array(keys[(number + 1)...]))
            }
        }
        #expect(index.figures == Index.Figures())
        #expect(reader.all().isEmpty)
    }
}

@Suite("Readers of the index")
struct IndexReaderTests {
    @Test("see nothing of a batch before it is published, and all of it after")
    func publication() {
        let index = Index()
        let reader = index.makeReader()
        _ = index.put([1], [10], revision: 1)
        _ = index.put([2], [20], revision: 2)
        #expect(reader.value([1]) == nil)
        #expect(index.figures.keys == 0)
        index.publish()
        #expect(reader.all() == [[1], [2]])
        #expect(reader.value([2])?.1 == 2)
    }

    @Test("keep the state that they walk while the writer replaces all of it")
    func walkIsConsistent() {
        let index = Index()
        let reader = index.makeReader()
        let keys = (0..<2_000).map { Array("k\(10_000 + $0)".utf8) }
        for (number, key) in keys.enumerated() { _ = index.put(key, [0], revision: UInt64(number + 1)) }
        index.publish()
        index.publishedRevision = 2_000
        var values: [[UInt8]] = []
        [].withUnsafeBytes {
            reader.walk(from: $0) { entry in
                if values.count == 100 {
                    for (number, key) in keys.enumerated() { _ = index.put(key, [1], revision: UInt64(3_000 + number)) }
                    index.publish()
                    index.publishedRevision = 5_000
                    #expect(index.retiredCount >= 2_000)
                }
                values.append(Array(entry.value))
                return true
            }
        }
        #expect(values == Array(repeating: [0], count: 2_000))
        _ = index.put([0], [0], revision: 6_000)
        index.publish()
        #expect(index.retiredCount == 0)
        #expect(reader.value(keys[0])?.0 == [1])
    }

    @Test("on other threads never see a value that is older than one seen before, nor a torn one")
    func concurrentReaders() async {
        let index = Index()
        let rounds = 3_000
        let keys = (0..<200).map { Array("key-\($0)".utf8) }
        let done = Flag()
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    let reader = index.makeReader()
                    var newest = [UInt64](repeating: 0, count: keys.count)
                    var reads = 0
                    while !done.isSet || reads < 1_000 {
                        let number = reads % keys.count
                        if let (value, revision) = reader.value(keys[number]) {
                            if revision < newest[number] || value != Array(repeating: UInt8(revision % 251), count: 64)
                            {
                                Issue.record("key \(number): revision \(revision) after \(newest[number])")
                                return reads
                            }
                            newest[number] = revision
                        }
                        reads += 1
                    }
                    return reads
                }
            }
            var revision: UInt64 = 0
            for _ in 0..<rounds {
                for key in keys.shuffled().prefix(10) {
                    revision += 1
                    _ = index.put(key, Array(repeating: UInt8(revision % 251), count: 64), revision: revision)
                }
                index.publish()
                index.publishedRevision = revision
            }
            done.set()
        }
        #expect(index.figures.keys == keys.count)
    }
}
