import HTTPServing
import KeyValueHTTP
import KeyValueStore
import NIOCore
import SystemSupport

/// The watchers of one event loop: reads each committed change once, and gives it to those who want it. Confined to its
/// loop.
///
/// A watcher has no queue. While its connection takes bytes, it is where the hub is; else it stays where it was, and the
/// hub reads on from there when the connection takes bytes again.
///
/// Under load the hub reads less often and more at a time: it pauses a multiple of the time that the last reading took, so
/// that watchers take a small share of the loop from everything else. It does not pause if that could lose changes.
final class WatchHub {
    /// Events of a group, encoded and framed once for all of its watchers.
    struct Batch {
        let begin: ChangeHistory.Position
        let piece: ResponseStream.Piece
        let events: Int
        let now: UInt64
    }

    /// The encoded bytes after which a reading ends, and the next one follows.
    private static let readBytes = 1 << 20
    /// The bytes of the history that are read for one watcher before it is somebody else's turn.
    static let turnBytes = 1 << 18
    private static let keptSections = 16
    private static let pauseFactor: UInt64 = 50
    private static let shortestPauseNanoseconds: UInt64 = 2_000_000
    /// After a reading in which nobody got anything.
    private static let idlePauseNanoseconds: UInt64 = 20_000_000
    private static let longestPauseNanoseconds: UInt64 = 100_000_000

    let eventLoop: any EventLoop
    let history: ChangeHistory
    let figures: WatchFigures
    /// What has been read.
    private(set) var position: ChangeHistory.Position
    private var groups = WatchGroups()
    /// In no order; each knows its place.
    private var watchers: [Watcher] = []
    private var waker: ChangeHistory.Waker?
    /// Those that have a position of their own, and connections that take bytes.
    private var ready: [StreamWatcher] = []
    private var isScheduled = false
    /// Whether this reading had something for anybody.
    private var hasGiven = false
    /// When the next reading may begin: monotonic nanoseconds.
    private var nextReading: UInt64 = 0
    private var ticks: RepeatedTask?
    private var currentHeartbeat: (revision: UInt64, piece: ResponseStream.Piece)?

    init(eventLoop: any EventLoop, history: ChangeHistory, figures: WatchFigures) {
        self.eventLoop = eventLoop
        self.history = history
        self.figures = figures
        self.position = history.end
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        self.waker = history.makeWaker { eventLoop.execute { bound.value.schedule() } }
    }

    // MARK: - Watchers

    /// The group of a new watcher. Everything that is committed has been read after this.
    func join(_ selection: WatchRequest.Selection) -> WatchGroup {
        if self.watchers.isEmpty {
            self.position = self.history.end
            self.startTicks()
        } else {
            while self.read() {}
        }
        return self.groups.group(of: selection)
    }

    func add(_ watcher: Watcher) {
        watcher.placeInGroup = watcher.group.watchers.count
        watcher.group.watchers.append(watcher)
        watcher.placeInHub = self.watchers.count
        self.watchers.append(watcher)
        self.waitForMore()
    }

    func remove(_ watcher: Watcher) {
        guard watcher.placeInHub >= 0 else { return }
        let last = self.watchers.removeLast()
        if last !== watcher {
            self.watchers[watcher.placeInHub] = last
            last.placeInHub = watcher.placeInHub
        }
        let group = watcher.group
        let lastOfGroup = group.watchers.removeLast()
        if lastOfGroup !== watcher {
            group.watchers[watcher.placeInGroup] = lastOfGroup
            lastOfGroup.placeInGroup = watcher.placeInGroup
        }
        watcher.placeInHub = -1
        self.figures.release()
        self.leave(group)
    }

    /// Removes a group that nobody wants any more.
    func leave(_ group: WatchGroup) {
        if group.watchers.isEmpty { self.groups.remove(group) }
        if self.watchers.isEmpty {
            self.ready = []
            self.ticks?.cancel()
            self.ticks = nil
        }
    }

    /// Ends a watcher and tells its client why.
    func cut(_ watcher: Watcher, _ reason: WatchEvents.End) {
        if watcher.placeInHub < 0 { return }
        self.remove(watcher)
        self.figures.cut(reason)
        watcher.end(reason)
    }

    // MARK: - Reading

    /// The connection of a watcher takes bytes.
    func isReady(_ watcher: StreamWatcher) {
        guard let position = watcher.position, !watcher.isReady, watcher.placeInHub >= 0 else { return }
        watcher.isReady = true
        self.ready.append(watcher)
        self.schedule(isUrgent: self.history.isUrgent(behind: position))
    }

    private func schedule() {
        let isUrgent =
            self.history.isUrgent(behind: self.position)
            || self.ready.contains {
                $0.position.map { self.history.isUrgent(behind: $0) } == true
            }
        self.schedule(isUrgent: isUrgent)
    }

    private func schedule(isUrgent: Bool) {
        if self.watchers.isEmpty || self.isScheduled && !isUrgent { return }
        self.isScheduled = true
        let now = MonotonicClock.nanoseconds()
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        if isUrgent || now >= self.nextReading {
            // After what else is ready on this loop.
            self.eventLoop.execute { bound.value.readInTurn() }
        } else {
            self.waker?.armForUrgency(behind: self.position, of: self.history)
            self.eventLoop.scheduleTask(in: .nanoseconds(Int64(self.nextReading - now))) { bound.value.readInTurn() }
        }
    }

    private func readInTurn() {
        if !self.isScheduled { return }
        let began = MonotonicClock.nanoseconds()
        self.hasGiven = false
        let hasMore = self.read()
        self.catchUp()
        let ended = MonotonicClock.nanoseconds()
        let least = self.hasGiven ? Self.shortestPauseNanoseconds : Self.idlePauseNanoseconds
        self.nextReading = ended + min(max((ended - began) * Self.pauseFactor, least), Self.longestPauseNanoseconds)
        // What became ready meanwhile waits for its turn too.
        self.isScheduled = false
        if hasMore { self.schedule() } else { self.waitForMore() }
    }

    private func waitForMore() {
        self.waker?.arm()
        if !self.ready.isEmpty || self.history.newestRevision > self.position.revision || self.history.hasFailed {
            self.schedule()
        }
    }

    /// Gives the watchers what was committed since the last reading, up to a limit.
    /// - Returns: whether there is more.
    private func read() -> Bool {
        let begin = self.position
        var touched: [WatchGroup] = []
        var bytes = 0
        let progress = self.history.read(&self.position) { transaction in
            let first = touched.count
            var again: [WatchGroup] = []
            transaction.forEachChange { change in
                unsafe self.groups.forEach(of: change.key) { group in
                    if !group.isOpen {
                        if group.eventCount == 0 { touched.append(group) } else { again.append(group) }
                    }
                    group.append(change, of: transaction.revision)
                }
            }
            for group in touched[first...] { bytes += group.endTransaction() }
            for group in again { bytes += group.endTransaction() }
            return bytes < Self.readBytes
        }
        if !touched.isEmpty { self.hasGiven = true }
        let now = MonotonicClock.nanoseconds()
        for group in touched {
            let events = group.eventCount
            let batch = Batch(
                begin: begin, piece: group.takeEvents(), events: events, now: now)
            // From the end, because the last one takes the place of one that ends.
            for watcher in group.watchers.reversed() { watcher.take(batch) }
        }
        if progress == .lost { self.lost() }
        if progress == .end, self.history.hasFailed { self.cutAll(.storeFailed) }
        return progress == .more
    }

    /// Gives those that are ready what is behind their positions. Those of a group at the same place share it.
    private func catchUp() {
        var sections: [WatchSection] = []
        let ready = self.ready
        self.ready = []
        for watcher in ready {
            watcher.isReady = false
            self.catchUp(watcher, &sections)
        }
    }

    private func catchUp(_ watcher: StreamWatcher, _ sections: inout [WatchSection]) {
        var turn = Self.turnBytes
        while let begin = watcher.position, watcher.placeInHub >= 0, watcher.takesBytes {
            if turn <= 0 { return self.isReady(watcher) }
            let after = watcher.after > begin.revision ? watcher.after : 0
            let section: WatchSection
            if let made = sections.last(where: { $0.is(of: watcher.group, from: begin, after: after) }) {
                section = made
            } else {
                section = WatchSection(
                    of: watcher.group, from: begin, after: after, upTo: self.position.revision, self.history)
                sections.append(section)
                if sections.count > Self.keptSections { sections.removeFirst() }
            }
            if section.isLost { return self.cut(watcher, .lagging) }
            turn -= section.readBytes
            watcher.position = section.end
            if let piece = section.piece {
                self.hasGiven = true
                watcher.write(piece, events: section.events, now: MonotonicClock.nanoseconds())
            }
        }
    }

    /// This loop was busy for so long that changes have gone which no watcher has got.
    private func lost() {
        for watcher in self.watchers.reversed() where watcher.position == nil { self.cut(watcher, .lagging) }
        self.position = self.history.end
    }

    private func cutAll(_ reason: WatchEvents.End) {
        for watcher in self.watchers.reversed() { self.cut(watcher, reason) }
    }

    // MARK: - Time

    /// The same for all: nothing but the newest revision is in it.
    var heartbeat: ResponseStream.Piece {
        let revision = self.position.revision
        if let current = self.currentHeartbeat, current.revision == revision { return current.piece }
        let piece = ResponseStream.Piece(WatchEvents.heartbeat(revision: revision))
        self.currentHeartbeat = (revision, piece)
        return piece
    }

    private func startTicks() {
        if self.ticks != nil { return }
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.ticks = self.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            bound.value.tick()
        }
    }

    private func tick() {
        let now = MonotonicClock.nanoseconds()
        for watcher in self.watchers.reversed() { watcher.tick(now: now) }
    }
}

@available(*, unavailable)
extension WatchHub: Sendable {}
