import EtcdAPI
import FoundationEssentials
public import KeyValueStore
public import LogFormat
import SwiftProtobuf
import Synchronization
import SystemSupport

/// A store that an etcd cluster keeps. Any number of services can have the same one. Any thread.
public final class EtcdEngine: StorageEngine {
    public struct Configuration: Sendable {
        /// At least one.
        public var endpoints: [EtcdEndpoint]
        public var keyspace: EtcdKeyspace
        /// How much memory the newest changes may take, for ``EtcdEngine/history``; 0 for none.
        public var historyBytes = 0

        public init(endpoints: [EtcdEndpoint], keyspace: EtcdKeyspace) {
            self.endpoints = endpoints
            self.keyspace = keyspace
        }
    }

    private let cluster: EtcdCluster
    public let storeID: StoreID
    public let figures = EtcdFigures()
    private let writer: EtcdWriter
    private let reader: EtcdReader
    private let feed: EtcdFeed?
    private let running = Mutex<Task<Void, Never>?>(nil)

    /// Connects, and finds the store or makes it. Tries until the task is cancelled.
    /// - Parameter onFailure: called after each attempt that has failed.
    /// - Throws: if an endpoint cannot be used, the store's key has another meaning, or the task was cancelled.
    public static func open(
        _ configuration: Configuration, onFailure: @Sendable (EtcdFailure) -> Void
    ) async throws(EtcdFailure) -> EtcdEngine {
        let cluster = try EtcdCluster(configuration.endpoints)
        let connections = Task { await cluster.run() }
        while true {
            do throws(EtcdFailure) {
                let (id, revision) = try await Self.identity(cluster, configuration.keyspace)
                let engine = EtcdEngine(configuration, cluster, id, revision)
                engine.run(connections)
                return engine
            } catch {
                onFailure(error)
                // Ends early if the task is cancelled.
                try? await Task.sleep(for: .seconds(1))
                guard !Task.isCancelled, !error.blamesRequest else {
                    connections.cancel()
                    throw error
                }
            }
        }
    }

    /// The identity of the store, which the first service makes, and etcd's newest revision.
    private static func identity(
        _ cluster: EtcdCluster, _ keyspace: EtcdKeyspace
    ) async throws(EtcdFailure) -> (StoreID, revision: UInt64) {
        let text = Data("\(StoreID.random())".utf8)
        let request = Etcdserverpb_TxnRequest.with {
            $0.compare = [.hasRevision(keyspace.store, 0)]
            $0.success = [.with { $0.requestPut = .with { ($0.key, $0.value) = (keyspace.store, text) } }]
            $0.failure = [.with { $0.requestRange = .with { $0.key = keyspace.store } }]
        }
        // Sending it twice does no harm.
        let answer = try await cluster.read(request, until: .now + .seconds(5))
        let stored = answer.succeeded ? text : answer.responses.first?.responseRange.kvs.first?.value ?? Data()
        guard let id = StoreID(String(decoding: stored, as: UTF8.self)) else {
            throw .refused(.invalid, "the key \(keyspace.prefix)store has a value that is not the identity of a store")
        }
        return (id, UInt64(answer.header.revision))
    }

    private init(_ configuration: Configuration, _ cluster: EtcdCluster, _ id: StoreID, _ revision: UInt64) {
        self.cluster = cluster
        self.storeID = id
        let (keyspace, clock) = (configuration.keyspace, StoreClock())
        self.writer = EtcdWriter(cluster, keyspace, clock: clock, figures: self.figures)
        self.reader = EtcdReader(cluster, keyspace, clock: clock)
        self.feed =
            configuration.historyBytes == 0
            ? nil
            : EtcdFeed(cluster, keyspace, clock: clock, limitBytes: configuration.historyBytes, after: revision)
    }

    private func run(_ connections: Task<Void, Never>) {
        let (writer, reader, feed, cluster) = (self.writer, self.reader, self.feed, self.cluster)
        let task = Task {
            let watching = Task { await feed?.run() }
            await withDiscardingTaskGroup { group in
                group.addTask { await writer.run() }
                group.addTask { await reader.run() }
            }
            watching.cancel()
            await watching.value
            cluster.stop()
            await connections.value
        }
        self.running.withLock { $0 = task }
    }

    /// Asks etcd for something that a majority of its members must agree to.
    /// - Returns: why it does not answer; nil if it does.
    public func check() async -> EtcdFailure? {
        do throws(EtcdFailure) {
            let range = Etcdserverpb_RangeRequest.with { ($0.key, $0.countOnly) = (Data([0]), true) }
            _ = try await self.cluster.read(range, until: .now + .seconds(2))
            return nil
        } catch { return error }
    }

    /// Why changes do not reach ``history`` now; nil if they do, or if there is none.
    public var watchFailure: String? { self.feed?.failure.withLock { $0 } }

    public var history: ChangeHistory? { self.feed?.feed.history }

    public func catchUp(to revision: UInt64, _ completion: @escaping @Sendable (CatchUp) -> Void) {
        guard let feed = self.feed else { return completion(.failed) }
        feed.catchUp(to: revision, completion)
    }

    public func makeSession(
        wake: @escaping @Sendable () -> Void, endOfTurn: @escaping () -> Void
    ) -> any StorageSession {
        EtcdSession(self.storeID, self.writer, self.reader, AnswerMailbox(wake: wake), endOfTurn: endOfTurn)
    }

    public func close() {
        self.writer.queue.close()
        self.reader.queue.close()
        guard let task = self.running.withLock({ $0.take() }) else { return }
        let ended = MonotonicSemaphore()
        Task {
            await task.value
            ended.signal()
        }
        ended.wait()
    }
}
