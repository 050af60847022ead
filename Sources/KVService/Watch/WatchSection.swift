import HTTPServing
import JSON
import KeyValueHTTP
import KeyValueStore

/// Events of a group between two places of the history, for watchers that are behind the others.
struct WatchSection {
    /// The encoded bytes, and those of the history, with which it ends.
    private static let pieceBytes = 1 << 16
    private static let historyBytes = 1 << 18

    private let group: WatchGroup
    private let begin: ChangeHistory.Position
    private let after: UInt64
    /// Nil if there are no events.
    private(set) var piece: ResponseStream.Piece?
    private(set) var events = 0
    /// Where it ends; nil: where the hub is.
    private(set) var end: ChangeHistory.Position?
    /// Whether its beginning is not in the history any more.
    private(set) var isLost = false
    private(set) var readBytes = 0

    /// - Parameters:
    ///   - after: only changes after this revision.
    ///   - last: what the hub has read.
    init(
        of group: WatchGroup, from begin: ChangeHistory.Position, after: UInt64, upTo last: UInt64,
        _ history: ChangeHistory
    ) {
        self.group = group
        self.begin = begin
        self.after = after
        var (position, events, bytes) = (begin, 0, 0)
        var writer = JSONWriter(reservingBytes: 4_096)
        let progress = history.read(&position, upTo: last) { transaction in
            bytes += transaction.byteCount
            var isBegun = false
            transaction.forEachChange { change in
                guard change.revision > after, unsafe group.selection.matches(change.key) else { return }
                if !isBegun { WatchEvents.beginEvent(&writer, revision: transaction.revision) }
                isBegun = true
                WatchEvents.append(change, withPrevious: group.selection.withPrevious, to: &writer)
            }
            if isBegun {
                WatchEvents.endEvent(&writer)
                events += 1
            }
            return bytes < Self.historyBytes && writer.bytes.count < Self.pieceBytes
        }
        self.events = events
        self.readBytes = bytes
        if events > 0 { self.piece = .init(writer.bytes) }
        self.isLost = progress == .lost
        self.end = progress == .end ? nil : position
    }

    func `is`(of group: WatchGroup, from begin: ChangeHistory.Position, after: UInt64) -> Bool {
        self.group === group && self.begin == begin && self.after == after
    }
}
