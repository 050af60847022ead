import EtcdAPI
import FoundationEssentials
import GRPCCore
import KeyValueStore
import LogFormat
import SwiftProtobuf
import Synchronization

/// Brings the changes of a store from etcd into a history, without a gap and without a repetition, whatever becomes of the
/// connections: it watches from the revision behind the last one that it has, and at another member if one fails.
///
/// All keys of the store are watched, also those that are no data, so that the history is known to be complete up to any
/// revision that the store itself has caused.
final class EtcdFeed: Sendable {
    /// After a connection has failed.
    private static let pause = Duration.milliseconds(200)
    /// How long it takes until somebody who waits for a revision has it shown by a marker.
    private static let patience = Duration.milliseconds(50)
    /// How long somebody waits for a revision after that.
    private static let limit = Duration.seconds(2)

    let feed: ChangeFeed
    /// Why there is no watch now; nil while there is one.
    let failure = Mutex<String?>("it has not begun yet")
    private let cluster: EtcdCluster
    private let keyspace: EtcdKeyspace
    private let clock: StoreClock
    private let waiting = Mutex<[Waiting]>([])
    private let lastTicket = Atomic<UInt64>(0)

    private struct Waiting {
        let ticket: UInt64
        let revision: UInt64
        let completion: @Sendable (CatchUp) -> Void
    }

    /// The transaction that is being recorded. A message can end within it.
    private struct Open {
        var revision: UInt64 = 0
        var hasChanges = false
    }

    init(
        _ cluster: EtcdCluster, _ keyspace: EtcdKeyspace, clock: StoreClock, limitBytes: Int, after revision: UInt64
    ) {
        self.cluster = cluster
        self.keyspace = keyspace
        self.clock = clock
        self.feed = ChangeFeed(limitBytes: limitBytes, after: revision)
    }

    private var newest: UInt64 { self.feed.history.newestRevision }

    /// Until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do throws(EtcdFailure) { try await self.watch() } catch { self.failure.withLock { $0 = "\(error)" } }
            self.feed.rollBack()
            // Ends early if the task is cancelled.
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// Watches until the connection breaks, or what follows was compacted.
    private func watch() async throws(EtcdFailure) {
        let (start, end) = self.keyspace.everything
        let next = Int64(self.newest) + 1
        let create = Etcdserverpb_WatchRequest.with {
            $0.createRequest = .with {
                ($0.key, $0.rangeEnd, $0.startRevision, $0.prevKv, $0.fragment) = (start, end, next, true, true)
            }
        }
        let (done, finish) = AsyncStream.makeStream(of: Never.self)
        defer { finish.finish() }
        try await self.cluster.watch { call in
            try await call.member.watches.watch(metadata: call.metadata, options: call.options) { writer in
                try await writer.write(create)
                // The stream of requests stays open until the watch ends.
                for await _ in done {}
            } onResponse: { response in
                defer { finish.finish() }
                var open = Open()
                for try await message in response.messages {
                    if !self.take(message, &open) { return }
                }
            }
        }
    }

    /// - Returns: false if the watch has ended.
    private func take(_ message: Etcdserverpb_WatchResponse, _ open: inout Open) -> Bool {
        if message.canceled {
            // Behind the compacted revision: a watch that begins at it can miss a delete which was made there.
            if message.compactRevision > 0 {
                self.feed.lose(upTo: UInt64(message.compactRevision))
                self.wake()
            }
            self.failure.withLock {
                $0 = "etcd has ended it: \(message.cancelReason), compacted revision \(message.compactRevision)"
            }
            return false
        }
        if message.created { self.failure.withLock { $0 = nil } }
        for event in message.events {
            let revision = UInt64(event.kv.modRevision)
            if revision != open.revision {
                self.end(&open)
                open.revision = revision
            }
            // What was published is not given twice, should a member send it again.
            guard revision > self.newest, let key = self.keyspace.key(in: event.kv.key) else { continue }
            self.record(event, key)
            open.hasChanges = true
        }
        // The next message can go on with the same revision.
        if !message.fragment, open.revision > 0 {
            self.end(&open)
            self.feed.publish(revision: open.revision)
            self.wake()
        }
        return true
    }

    private func end(_ open: inout Open) {
        if open.hasChanges { self.feed.endTransaction() }
        open.hasChanges = false
    }

    private func record(_ event: Mvccpb_Event, _ key: Data) {
        let previous = event.hasPrevKv ? StoredValue(event.prevKv) : nil
        let revision = UInt64(event.kv.modRevision)
        // A delete by a lease comes after the time of its key; nobody else deletes a key that has expired.
        let hasExpired = previous?.exists(at: self.clock.milliseconds()) == false
        let isSet = event.type == .put
        let value = isSet ? StoredValue(event.kv) : nil
        let content = value?.value ?? Data()
        unsafe key.withUnsafeBytes { key in
            unsafe content.withUnsafeBytes { content in
                let record = unsafe LiveRecord(
                    revision: revision, key: key, value: content, expiresAt: value?.expiresAt ?? 0)
                let kind: CommittedChange.Kind = isSet ? .set : hasExpired ? .expiry : .delete
                // A key that had expired did not exist any more.
                guard let previous, !isSet || !hasExpired else {
                    return unsafe self.feed.record(kind, record, previous: nil)
                }
                unsafe previous.value.withUnsafeBytes { bytes in
                    unsafe self.feed.record(kind, record, previous: (bytes, previous.revision))
                }
            }
        }
    }

    // MARK: - Catching up

    /// Calls `completion` once it is known whether the history is complete up to a revision.
    func catchUp(to revision: UInt64, _ completion: @escaping @Sendable (CatchUp) -> Void) {
        let ticket = self.lastTicket.wrappingAdd(1, ordering: .relaxed).newValue
        self.waiting.withLock { $0.append(.init(ticket: ticket, revision: revision, completion: completion)) }
        // It may have come meanwhile.
        self.wake()
        if revision <= self.newest { return }
        Task {
            // In most cases it is on its way.
            try? await Task.sleep(for: Self.patience)
            guard revision > self.newest else { return }
            guard let reached = await self.mark() else { return self.answer(ticket, .failed) }
            // A revision that etcd has not reached with it is one that nothing has.
            guard reached >= revision else { return self.answer(ticket, .future) }
            try? await Task.sleep(for: Self.limit)
            self.answer(ticket, .failed)
        }
    }

    /// Has etcd send something that comes after everything before.
    /// - Returns: its revision; nil if etcd does not answer.
    private func mark() async -> UInt64? {
        let marker = Etcdserverpb_TxnRequest.with {
            $0.success = [.with { $0.requestPut = .with { $0.key = self.keyspace.marker } }]
        }
        do throws(EtcdFailure) {
            return UInt64(try await self.cluster.write(marker, until: .now + Self.limit).header.revision)
        } catch { return nil }
    }

    private func wake() {
        let newest = self.newest
        for waiting in self.take({ $0.revision <= newest }) { waiting.completion(.reached) }
    }

    private func answer(_ ticket: UInt64, _ outcome: CatchUp) {
        for waiting in self.take({ $0.ticket == ticket }) { waiting.completion(outcome) }
    }

    private func take(_ condition: (Waiting) -> Bool) -> [Waiting] {
        self.waiting.withLock { waiting in
            let taken = waiting.filter(condition)
            if !taken.isEmpty { waiting.removeAll(where: condition) }
            return taken
        }
    }
}
