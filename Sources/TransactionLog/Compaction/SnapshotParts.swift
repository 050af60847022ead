import LogFormat

/// The parts of the snapshot that the manifest lists, each with its last key, which the manifest does not contain, and the
/// number that the next part gets. Confined to the compactor's thread.
struct SnapshotParts {
    private var lastKeys: [PartName: [UInt8]] = [:]
    /// Of the newest part, whether that is listed or was given up.
    private var lastNumber: UInt32

    /// - Parameter listed: the parts that the manifest lists; their last keys follow.
    init(listed: [PartName] = []) { self.lastNumber = listed.map(\.number).max() ?? 0 }

    var names: Set<PartName> { Set(self.lastKeys.keys) }

    /// A name that no part of the store has had.
    mutating func makeName(upTo revision: UInt64) -> PartName {
        self.lastNumber += 1
        return PartName(upTo: revision, number: self.lastNumber)
    }

    mutating func add(_ name: PartName, lastKey: [UInt8]) {
        self.lastKeys[name] = lastKey
    }

    mutating func remove(_ names: Set<PartName>) {
        for name in names { self.lastKeys[name] = nil }
    }

    /// The parts whose keys all come at or before this one.
    func upTo(_ key: [UInt8]) -> Set<PartName> {
        Set(self.lastKeys.filter { !key.lexicographicallyPrecedes($0.value) }.keys)
    }
}
