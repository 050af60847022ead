import LogFormat
import Testing

@testable import KeyValueStore

@Suite("An entry of the index", .timeLimit(.minutes(1)))
struct EntryTests {
    /// On both sides of what fits into the short header.
    private static let keyCounts = [0, 1, 15, 2_046, 2_047, 2_048, 65_535]
    private static let valueCounts = [0, 1, 100, 1 << 21 - 2, 1 << 21 - 1, 1 << 21, 1 << 21 + 1]

    @Test(arguments: keyCounts, valueCounts)
    func `gives back its key, value and revision, whatever their lengths`(keyCount: Int, valueCount: Int) {
        let key = (0..<keyCount).map { UInt8(truncatingIfNeeded: $0) }
        let value = [UInt8](unsafeUninitializedCapacity: valueCount) { buffer, count in
            for index in 0..<valueCount { buffer[index] = UInt8(truncatingIfNeeded: index >> 3) }
            count = valueCount
        }
        let entry = Entry.make(key: key, value: value)
        #expect(entry.revision == 0)
        entry.revision = .max
        #expect(entry.revision == .max)
        #expect(entry.keyCount == keyCount && entry.valueCount == valueCount)
        #expect(entry.key.elementsEqual(key))
        #expect(Array(entry.value) == value)
        #expect(entry.allocatedBytes >= 12 + keyCount + valueCount)
        #expect(ReplacedRecord(entry) == ReplacedRecord(revision: .max, keyCount: keyCount, valueCount: valueCount))
        entry.free()
    }

    @Test func `with a short key and value has a header of 12 bytes`() {
        let entry = Entry.make(key: Array(repeating: 1, count: 15), value: Array(repeating: 2, count: 101))
        #expect(entry.allocatedBytes == 128)
        entry.free()
    }
}
