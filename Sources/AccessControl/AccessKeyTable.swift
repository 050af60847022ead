import Synchronization

/// The access keys of one file. Does not change: a reload makes another table.
public final class AccessKeyTable: Sendable {
    public static let maximumEntries = 1_000
    private static let versions = Atomic<UInt64>(0)

    /// In the order of the file; names and digests are unique.
    public let entries: [AccessEntry]
    /// No other table of this process has the same.
    public let version: UInt64
    /// By the first eight bytes of the digest.
    private let places: [UInt64: [Int]]

    public init(_ entries: [AccessEntry] = []) {
        self.entries = entries
        self.version = Self.versions.add(1, ordering: .relaxed).newValue
        self.places = Dictionary(grouping: entries.indices, by: { entries[$0].digest.words[0] })
    }

    /// The entry of an access key. What is compared of the digests is compared in constant time.
    public func entry(for digest: AccessDigest) -> AccessEntry? {
        var found: AccessEntry?
        for place in self.places[digest.words[0]] ?? [] where self.entries[place].digest == digest {
            found = self.entries[place]
        }
        return found
    }
}

/// The access keys of a service: one table at a time. Any thread.
public final class AccessKeys: Sendable {
    private let held: Mutex<AccessKeyTable>
    private let current: Atomic<UInt64>

    public init(_ table: AccessKeyTable = AccessKeyTable()) {
        self.held = Mutex(table)
        self.current = Atomic(table.version)
    }

    public var table: AccessKeyTable { self.held.withLock { $0 } }

    /// The version of ``table``: what was found in a table with another one is not valid any more.
    public var version: UInt64 { self.current.load(ordering: .acquiring) }

    /// When this returns, no key is accepted any more that is not in `table`.
    public func replace(_ table: AccessKeyTable) {
        self.held.withLock { held in
            held = table
            self.current.store(table.version, ordering: .releasing)
        }
    }
}
