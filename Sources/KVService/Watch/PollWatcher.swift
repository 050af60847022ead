import HTTP1
import HTTPServing
import JSON
import KeyValueHTTP
import KeyValueStore
import NIOCore
import NIOHTTP1

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
    func catchUp() {
        guard let begin = self.position else { return }
        var position = begin
        var (hasEvent, turn) = (false, WatchHub.turnBytes)
        let progress = self.read(from: &position) { transaction in
            transaction.forEachChange { hasEvent = hasEvent || self.wants($0) }
            turn -= transaction.byteCount
            return !hasEvent && turn > 0
        }
        if progress == .lost { return self.hub.cut(self, .lagging) }
        guard hasEvent else {
            self.position = progress == .end ? nil : position
            if progress == .more { self.catchUpLater() }
            return
        }
        self.hub.remove(self)
        self.answer(from: begin)
    }

    private func catchUpLater() {
        let bound = NIOLoopBound(self, eventLoop: self.responder.eventLoop)
        self.responder.eventLoop.execute { if bound.value.placeInHub >= 0 { bound.value.catchUp() } }
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
