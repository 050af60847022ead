import Testing

@testable import KeyValueStore

@Suite("Readers of the index", .timeLimit(.minutes(1)))
struct IndexReaderTests {
    @Test("see nothing of a batch before it is published, and all of it after")
    func publication() {
        let index = Index()
        let reader = index.makeReader()
        _ = index.put([1], [10], revision: 1)
        _ = index.put([2], [20], revision: 2)
        #expect(reader.value([1]) == nil)
        #expect(index.figures.keys == 0)
        index.publish(revision: 2)
        #expect(reader.all() == [[1], [2]])
        #expect(reader.value([2])?.1 == 2)
    }

    @Test("keep the state that they walk while the writer replaces all of it")
    func walkIsConsistent() {
        let index = Index()
        let reader = index.makeReader()
        let keys = (0..<2_000).map { Array("k\(10_000 + $0)".utf8) }
        for (number, key) in keys.enumerated() { _ = index.put(key, [0], revision: UInt64(number + 1)) }
        index.publish(revision: 2_000)
        var values: [[UInt8]] = []
        [].withUnsafeBytes {
            reader.walk(from: $0) { entry in
                if values.count == 100 {
                    for (number, key) in keys.enumerated() { _ = index.put(key, [1], revision: UInt64(3_000 + number)) }
                    index.publish(revision: 5_000)
                    #expect(index.retiredCount >= 2_000)
                }
                values.append(Array(entry.value))
                return true
            }
        }
        #expect(values == Array(repeating: [0], count: 2_000))
        _ = index.put([0], [0], revision: 6_000)
        index.publish(revision: 6_000)
        #expect(index.retiredCount == 0)
        #expect(reader.value(keys[0])?.0 == [1])
    }

    @Test("get the revision and the count of the state that they scan, and not of the one before or after it")
    func revisionOfState() async {
        let index = Index()
        let done = Flag()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                let reader = index.makeReader()
                var scans = 0
                while !done.isSet || scans < 100 {
                    var newest: UInt64 = 0
                    var count = 0
                    let (revision, counted) = reader.scan(
                        KeyRange(), isReversed: scans % 2 == 1, at: 0, counting: KeyRange()
                    ) { entry in
                        newest = max(newest, entry.revision)
                        count += 1
                        return true
                    }
                    if counted != count {
                        Issue.record("a state of \(count) keys was counted as \(counted ?? -1)")
                        return
                    }
                    if newest != revision {
                        Issue.record("a state of revision \(revision) has a key of revision \(newest)")
                        return
                    }
                    scans += 1
                }
            }
            for revision in 1...100_000 as ClosedRange<UInt64> {
                _ = index.put([UInt8(revision % 3)], [], revision: revision)
                // So that each state has another number of keys than the one before.
                if revision % 2 == 0 { _ = index.put([9], [], revision: revision) } else { _ = index.drop([9]) }
                index.publish(revision: revision)
            }
            done.set()
        }
    }

    @Test("count the keys between any two bounds, without those that have expired, as a walk does")
    func counts() throws {
        let index = Index()
        let reader = index.makeReader()
        // Bounds are keys that are there, and one before each of them. Each seventh key expires, at a time of its own.
        let bounds = (0..<440).map { [UInt8($0 / 256), UInt8($0 % 256)] }
        let keys = bounds.indices.filter { $0 % 2 == 1 }
        for number in keys.shuffled() {
            _ = index.put(bounds[number], [], revision: 1, expiresAt: number % 7 == 0 ? UInt64(number) : 0)
        }
        index.publish(revision: 1)
        #expect(try IndexStructure(of: index).levels >= 2)
        let everything = bounds.indices.map { Optional($0) } + [nil]
        for now in [0, 7, 200, 1_000] as [UInt64] {
            // At `number`: how many keys before bounds[number] have not expired.
            var before = [0]
            for number in bounds.indices {
                let isCounted = number % 2 == 1 && (number % 7 != 0 || now < number)
                before.append(before[number] + (isCounted ? 1 : 0))
            }
            for start in bounds.indices {
                for end in everything {
                    let range = KeyRange(start: bounds[start], end: end.map { bounds[$0] })
                    let count = reader.scan(KeyRange(), isReversed: false, at: now, counting: range) { _ in false }
                        .count
                    try #require(count == max(before[end ?? bounds.count] - before[start], 0), "\(range) at \(now)")
                }
            }
        }
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
                index.publish(revision: revision)
            }
            done.set()
        }
        #expect(index.figures.keys == keys.count)
    }
}
