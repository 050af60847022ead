import Synchronization

@testable import KeyValueStore

extension Index {
    func put(_ key: [UInt8], _ value: [UInt8], revision: UInt64) -> Bool {
        let entry = Entry.make(key: key, value: value)
        entry.revision = revision
        return self.set(entry) != nil
    }

    func drop(_ key: [UInt8]) -> Bool { key.withUnsafeBytes { self.remove($0) != nil } }
}

extension Index.Reader {
    func value(_ key: [UInt8]) -> ([UInt8], UInt64)? {
        key.withUnsafeBytes { self.withEntry($0) { entry in entry.map { (Array($0.value), $0.revision) } } }
    }

    func all(from start: [UInt8] = []) -> [[UInt8]] {
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
