import HTTP1
import HTTPServing
import KeyValueHTTP
import KeyValueStore
import NIOHTTP1
import SystemSupport

/// A client that gets events as they happen.
final class StreamWatcher: Watcher {
    private static let heartbeatNanoseconds: UInt64 = 15_000_000_000

    private var stream: ResponseStream?
    private var wroteAt = MonotonicClock.nanoseconds()
    /// Whether the hub will give it what is behind its position.
    var isReady = false

    /// - Returns: false if the request is answered: it was `HEAD`.
    func begin(revision: UInt64) -> Bool {
        self.responder.hold(by: self)
        let head = ResponseHead(status: .ok, contentType: WatchEvents.contentType)
        self.stream = self.responder.stream(head)
        guard let stream = self.stream else { return false }
        stream.write(.init(WatchEvents.begin(revision: revision)))
        return true
    }

    /// Whether its connection takes bytes.
    var takesBytes: Bool { self.stream?.hasRoom == true }

    override func take(_ batch: WatchHub.Batch) {
        guard self.position == nil else { return }
        guard self.takesBytes else {
            self.position = batch.begin
            return
        }
        self.write(batch.piece, events: batch.events, now: batch.now)
    }

    func write(_ piece: ResponseStream.Piece, events: Int, now: UInt64) {
        self.count(events)
        self.wroteAt = now
        self.stream?.write(piece)
    }

    override func hasRoom() { self.hub.isReady(self) }

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
