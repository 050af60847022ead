import HTTP1
import HTTPServing
import JSON
import KeyValueHTTP
import KeyValueStore
import NIOCore
import NIOHTTP1
import Synchronization
import SystemSupport

/// One client that watches. Confined to its event loop.
class Watcher: HeldRequest {
    let group: WatchGroup
    let responder: Responder
    /// Its place among the watchers of the group and of the hub.
    final var placeInGroup = 0
    final var placeInHub = -1
    /// The client has got, or is not interested in, all before this; nil: what the hub has read.
    final var position: ChangeHistory.Position?
    /// Changes up to this revision, of a transaction of which the client asked for the rest.
    final let after: UInt64
    private(set) final var events = 0
    fileprivate unowned let hub: WatchHub

    init(
        _ hub: WatchHub, _ group: WatchGroup, _ responder: Responder, from position: ChangeHistory.Position?,
        after: UInt64
    ) {
        self.hub = hub
        self.group = group
        self.responder = responder
        self.position = position
        self.after = after
    }

    /// The group has events, behind what the hub had read before.
    func take(_ batch: WatchHub.Batch) {}
    /// Gives the client what there is for it, from its own position on.
    func catchUp() {}
    /// Called every second.
    func tick(now: UInt64) {}
    /// Ends it. The hub does not know it any more.
    func end(_ reason: WatchEvents.End) {}

    final func count(_ events: Int) {
        self.events += events
        self.hub.figures.events.add(UInt64(events), ordering: .relaxed)
    }

    final var revision: UInt64 { self.position?.revision ?? self.hub.position.revision }

    /// Reads the client's changes of the transactions from `position` on, up to what the hub has read.
    final func read(
        from position: inout ChangeHistory.Position, _ body: (CommittedTransaction) -> Bool
    ) -> ChangeHistory.Progress {
        self.hub.history.read(&position, upTo: self.hub.position.revision, body)
    }

    /// The bytes of the history that one client reads before it is somebody else's turn.
    static let turnBytes = 1 << 18

    final func catchUpLater() {
        let bound = NIOLoopBound(self, eventLoop: self.responder.eventLoop)
        self.responder.eventLoop.execute { if bound.value.placeInHub >= 0 { bound.value.catchUp() } }
    }

    /// Whether the client wants this change.
    final func wants(_ change: CommittedChange) -> Bool {
        unsafe change.revision > self.after && self.group.selection.matches(change.key)
    }

    // MARK: - HeldRequest

    func hasRoom() {}

    final func clientGone() {
        self.hub.remove(self)
        self.finish()
    }

    final func serverStops() { self.hub.cut(self, .draining) }

    /// Ends the request without more events.
    func finish() {}
}

/// A client that gets events as they happen.
final class StreamWatcher: Watcher {
    /// What is encoded at a time for this client alone.
    private static let pieceBytes = 1 << 16
    private static let heartbeatNanoseconds: UInt64 = 15_000_000_000

    private var stream: ResponseStream?
    private var wroteAt = MonotonicClock.nanoseconds()
    private var isCatchingUp = false

    /// - Returns: false if the request is answered: it was `HEAD`.
    func begin(revision: UInt64) -> Bool {
        self.responder.hold(by: self)
        let head = ResponseHead(status: .ok, contentType: WatchEvents.contentType)
        self.stream = self.responder.stream(head)
        guard let stream = self.stream else { return false }
        stream.write(.init(WatchEvents.begin(revision: revision)))
        return true
    }

    override func take(_ batch: WatchHub.Batch) {
        guard self.position == nil, let stream = self.stream else { return }
        guard stream.hasRoom else {
            self.position = batch.begin
            return
        }
        self.write(batch.piece, events: batch.events, now: batch.now)
    }

    private func write(_ piece: ResponseStream.Piece, events: Int, now: UInt64) {
        self.count(events)
        self.wroteAt = now
        self.stream?.write(piece)
    }

    override func hasRoom() { self.catchUp() }

    override func catchUp() {
        // A write can find room, which comes back here.
        if self.isCatchingUp { return }
        self.isCatchingUp = true
        defer { self.isCatchingUp = false }
        var turn = Self.turnBytes
        while var position = self.position, let stream = self.stream, stream.hasRoom {
            if turn <= 0 { return self.catchUpLater() }
            var (writer, events) = (JSONWriter(reservingBytes: 4_096), 0)
            let progress = self.read(from: &position) { transaction in
                turn -= transaction.byteCount
                if self.append(transaction, to: &writer) { events += 1 }
                return turn > 0 && writer.bytes.count < Self.pieceBytes
            }
            if progress == .lost { return self.hub.cut(self, .lagging) }
            self.position = progress == .end ? nil : position
            if events > 0 { self.write(.init(writer.bytes), events: events, now: MonotonicClock.nanoseconds()) }
        }
    }

    /// - Returns: whether the client has an event of it.
    private func append(_ transaction: CommittedTransaction, to writer: inout JSONWriter) -> Bool {
        var isBegun = false
        transaction.forEachChange { change in
            guard self.wants(change) else { return }
            if !isBegun { WatchEvents.beginEvent(&writer, revision: transaction.revision) }
            isBegun = true
            WatchEvents.append(change, withPrevious: self.group.selection.withPrevious, to: &writer)
        }
        if isBegun { WatchEvents.endEvent(&writer) }
        return isBegun
    }

    override func tick(now: UInt64) {
        if self.position != nil {
            if self.revision < self.hub.history.oldestRevision { self.hub.cut(self, .lagging) }
            return
        }
        guard now - min(self.wroteAt, now) >= Self.heartbeatNanoseconds, let stream = self.stream, stream.hasRoom
        else { return }
        self.wroteAt = now
        stream.write(self.hub.heartbeat)
    }

    override func end(_ reason: WatchEvents.End) {
        self.stream?.write(.init(WatchEvents.end(reason, revision: self.revision)))
        self.finish()
    }

    override func finish() {
        guard let stream = self.stream.take() else { return }
        self.responder.request.measures.add("events", .count(self.events))
        stream.end()
    }
}

/// A client that waits for the next events, once.
final class PollWatcher: Watcher {
    /// The bytes of an answer after which no further event is added.
    private static let answerBytes = 1 << 20

    private let limit: Int
    private var isAnswered = false
    private var timer: Scheduled<Void>?

    init(
        _ hub: WatchHub, _ group: WatchGroup, _ responder: Responder, from position: ChangeHistory.Position,
        after: UInt64, limit: Int
    ) {
        self.limit = limit
        super.init(hub, group, responder, from: position, after: after)
    }

    func wait(milliseconds: Int) {
        self.responder.hold(by: self)
        let bound = NIOLoopBound(self, eventLoop: self.responder.eventLoop)
        self.timer = self.responder.eventLoop.scheduleTask(in: .milliseconds(Int64(milliseconds))) {
            bound.value.timeIsUp()
        }
    }

    private func timeIsUp() {
        if self.isAnswered { return }
        self.hub.remove(self)
        self.finish()
    }

    override func take(_ batch: WatchHub.Batch) {
        if self.position == nil { self.position = batch.begin }
        self.catchUp()
    }

    /// Answers if there is an event.
    override func catchUp() {
        guard let begin = self.position else { return }
        var position = begin
        var (hasEvent, turn) = (false, Self.turnBytes)
        let progress = self.read(from: &position) { transaction in
            transaction.forEachChange { hasEvent = hasEvent || self.wants($0) }
            turn -= transaction.byteCount
            return !hasEvent && turn > 0
        }
        if progress == .lost { return self.hub.cut(self, .lagging) }
        guard hasEvent else {
            self.position = progress == .end ? nil : position
            return progress == .end ? () : self.catchUpLater()
        }
        self.hub.remove(self)
        self.answer(from: begin)
    }

    override func end(_ reason: WatchEvents.End) { self.finish() }

    override func finish() { self.answer(from: self.position ?? self.hub.position) }

    /// `{"status":"ok","events":[{"revision":N,"changes":[…]}],"revision":N}`
    private func answer(from begin: ChangeHistory.Position) {
        if self.isAnswered { return }
        self.isAnswered = true
        self.timer?.cancel()
        var position = begin
        var count = 0
        var writer = JSONWriter()
        writer.object { document in
            document.member("status", "ok")
            document.member(
                "events",
                array: { events in
                    _ = self.read(from: &position) { transaction in
                        if self.append(transaction, to: &events) { count += 1 }
                        return count < self.limit && events.bytes.count < Self.answerBytes
                    }
                })
            document.member("revision", position.revision)
        }
        writer.newline()
        self.count(count)
        self.responder.request.measures.add("events", .count(count))
        self.responder.respond(.json(.ok, writer.bytes))
    }

    private func append(_ transaction: CommittedTransaction, to events: inout JSONWriter) -> Bool {
        var isWanted = false
        transaction.forEachChange { isWanted = isWanted || self.wants($0) }
        guard isWanted else { return false }
        events.element(object: { event in
            event.member("revision", transaction.revision)
            event.member(
                "changes",
                array: { changes in
                    transaction.forEachChange { change in
                        guard self.wants(change) else { return }
                        WatchEvents.append(change, withPrevious: self.group.selection.withPrevious, to: &changes)
                    }
                })
        })
        return true
    }
}
