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

    @Test("get the revision of the state that they scan, and not of the one before or after it")
    func revisionOfState() async {
        let index = Index()
        let done = Flag()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                let reader = index.makeReader()
                var scans = 0
                while !done.isSet || scans < 100 {
                    var newest: UInt64 = 0
                    let revision = reader.scan(KeyRange(), isReversed: scans % 2 == 1) { entry in
                        newest = max(newest, entry.revision)
                        return true
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
                index.publish(revision: revision)
            }
            done.set()
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
