import HTTPServing
import KeyValueHTTP
import KeyValueStore
import Synchronization

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
    unowned let hub: WatchHub

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
