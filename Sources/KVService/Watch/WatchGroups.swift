import Glibc
import HTTPServing
import JSON
import KeyValueHTTP
import KeyValueStore

/// The watchers of one event loop that want the same changes, and share their encoding. Confined to its loop.
final class WatchGroup {
    let selection: WatchRequest.Selection
    let hash: UInt64
    /// In no order; each knows its place.
    var watchers: [Watcher] = []
    /// The events of the batch that is being read.
    private var events = JSONWriter(reservingBytes: 1_024)
    private(set) var eventCount = 0
    /// The transaction whose event is open; 0 for none.
    private var open: UInt64 = 0
    private var openedAt = 0

    init(_ selection: WatchRequest.Selection, hash: UInt64) {
        self.selection = selection
        self.hash = hash
    }

    /// Whether it has taken a change of the transaction that is being read.
    var isOpen: Bool { self.open != 0 }

    /// - Parameter transaction: its revision.
    func append(_ change: CommittedChange, of transaction: UInt64) {
        if self.open != transaction {
            self.openedAt = self.events.bytes.count
            WatchEvents.beginEvent(&self.events, revision: transaction)
            self.open = transaction
            self.eventCount += 1
        }
        WatchEvents.append(change, withPrevious: self.selection.withPrevious, to: &self.events)
    }

    /// - Returns: the bytes of its event.
    func endTransaction() -> Int {
        WatchEvents.endEvent(&self.events)
        self.open = 0
        return self.events.bytes.count - self.openedAt
    }

    /// The memory that is kept for the next batch.
    private static let keptBytes = 4_096

    /// The events of the batch, which begins anew.
    func takeEvents() -> ResponseStream.Piece {
        let piece = ResponseStream.Piece(self.events.bytes)
        self.events.removeAll(keepingAtMost: Self.keptBytes)
        self.eventCount = 0
        return piece
    }
}

extension WatchEvents {
    static func append(_ change: CommittedChange, withPrevious: Bool, to changes: inout JSONWriter) {
        unsafe Self.change(
            &changes, isSet: change.kind == .set, key: change.key, value: change.value, revision: change.revision,
            expiresAt: change.expiresAt, isExpired: change.kind == .expiry,
            previous: withPrevious ? change.previous : nil)
    }
}

extension WatchRequest.Selection {
    func matches(_ key: UnsafeRawBufferPointer) -> Bool {
        guard self.isPrefix ? key.count >= self.bytes.count : key.count == self.bytes.count else { return false }
        if self.bytes.isEmpty { return true }
        // Both have that many bytes.
        return unsafe self.bytes.withUnsafeBytes { own in
            unsafe memcmp(own.baseAddress!, key.baseAddress!, own.count) == 0
        }
    }
}

/// All groups of an event loop. Finds those of a key in a time that depends on the number of different lengths of their
/// prefixes, not on the number of groups.
struct WatchGroups {
    /// Of prefixes and of keys, by the hash of their bytes.
    private var prefixes: [UInt64: [WatchGroup]] = [:]
    private var keys: [UInt64: [WatchGroup]] = [:]
    /// The lengths of the prefixes, ascending, and how many groups have each.
    private var lengths: [(length: Int, count: Int)] = []

    var isEmpty: Bool { self.prefixes.isEmpty && self.keys.isEmpty }

    /// Calls `body` with each group that wants the changes of this key.
    func forEach(of key: UnsafeRawBufferPointer, _ body: (WatchGroup) -> Void) {
        var hash = Self.emptyHash
        var end = 0
        for (length, _) in self.lengths {
            if length > key.count { break }
            unsafe Self.add(key, end..<length, to: &hash)
            end = length
            for group in self.prefixes[hash] ?? [] where group.selection.bytes.count == length {
                if unsafe group.selection.matches(key) { body(group) }
            }
        }
        if self.keys.isEmpty { return }
        unsafe Self.add(key, end..<key.count, to: &hash)
        for group in self.keys[hash] ?? [] where unsafe group.selection.matches(key) { body(group) }
    }

    /// The group of these changes, which is made if there is none.
    mutating func group(of selection: WatchRequest.Selection) -> WatchGroup {
        var hash = Self.emptyHash
        unsafe selection.bytes.withUnsafeBytes { unsafe Self.add($0, 0..<$0.count, to: &hash) }
        let found = (selection.isPrefix ? self.prefixes[hash] : self.keys[hash])?.first { $0.selection == selection }
        if let found { return found }
        let group = WatchGroup(selection, hash: hash)
        guard selection.isPrefix else {
            self.keys[hash, default: []].append(group)
            return group
        }
        self.prefixes[hash, default: []].append(group)
        let length = selection.bytes.count
        let index = self.lengths.firstIndex { $0.length >= length } ?? self.lengths.count
        if index < self.lengths.count, self.lengths[index].length == length {
            self.lengths[index].count += 1
        } else {
            self.lengths.insert((length, 1), at: index)
        }
        return group
    }

    /// Its last watcher has gone.
    mutating func remove(_ group: WatchGroup) {
        guard group.selection.isPrefix else {
            Self.remove(group, from: &self.keys)
            return
        }
        Self.remove(group, from: &self.prefixes)
        guard let index = self.lengths.firstIndex(where: { $0.length == group.selection.bytes.count }) else { return }
        self.lengths[index].count -= 1
        if self.lengths[index].count == 0 { self.lengths.remove(at: index) }
    }

    private static func remove(_ group: WatchGroup, from groups: inout [UInt64: [WatchGroup]]) {
        groups[group.hash]?.removeAll { $0 === group }
        if groups[group.hash]?.isEmpty == true { groups[group.hash] = nil }
    }

    /// FNV-1a of 64 bits, which can be continued.
    private static let emptyHash: UInt64 = 0xCBF2_9CE4_8422_2325

    private static func add(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, to hash: inout UInt64) {
        for index in range { unsafe hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3 }
    }
}
