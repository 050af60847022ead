import Admin
import EtcdEngine
import HTTPServing
import Health
import JSON
import KeyValueStore
import LogFormat
import Logging
import ServiceKit
import ServiceSettings
import Synchronization
import SystemSupport

/// An etcd cluster.
final class EtcdBackend: StoreBackend {
    /// Between two looks whether it answers.
    private static let interval = Duration.seconds(1)

    private let runtime: ServiceRuntime
    private let holder: EngineHolder
    private let sources: StoreSources
    private let failure = Mutex<String?>("it has not answered yet")
    private let looking = Mutex<Task<Void, Never>?>(nil)
    var log: LogMetrics? { nil }

    init(_ runtime: ServiceRuntime, _ holder: EngineHolder, _ memory: MemoryGuard, _ watches: WatchFigures) {
        self.runtime = runtime
        self.holder = holder
        self.sources = StoreSources(holder: holder, memory: memory, watches: watches)
        self.sources.register(StoreFigure.ofEveryEngine, in: runtime.registry)
        runtime.add(.init(name: "etcd") { [weak self] in self?.failure.withLock { $0 } })
    }

    func start() async throws(ServiceFailure) {
        let settings = self.runtime.settings
        var configuration = EtcdEngine.Configuration(
            endpoints: settings[KVSettings.etcdEndpoints], keyspace: settings[KVSettings.etcdPrefix])
        configuration.historyBytes = settings[KVSettings.watchHistoryBytes]
        let engine: EtcdEngine
        do throws(EtcdFailure) {
            engine = try await EtcdEngine.open(configuration) { failure in
                self.failure.withLock { $0 = "\(failure)" }
                self.runtime.logger.warning("etcd does not answer", metadata: ["error": "\(failure)"])
            }
        } catch { throw ServiceFailure(.failure, "\(error)") }
        self.failure.withLock { $0 = nil }
        self.holder.set(engine)
        let task = Task {
            while !Task.isCancelled {
                // Ends early if the task is cancelled.
                try? await Task.sleep(for: Self.interval)
                let failure = await engine.check()
                self.failure.withLock { $0 = failure.map { "\($0)" } }
            }
        }
        self.looking.withLock { $0 = task }
    }

    func closed() { self.looking.withLock { $0.take() }?.cancel() }

    func adminRoutes(_ authorization: AdminAuthorization) -> [Route] { [] }

    func writeAdmin(to document: inout JSONWriter) {
        let settings = self.runtime.settings
        let engine = self.holder.engine as? EtcdEngine
        document.member(
            "store",
            object: { store in
                store.member("watch", object: { self.sources.writeFigures(of: "store.watch", to: &$0) })
                store.member("max_key_bytes", settings[KVSettings.maxKeyBytes])
                store.member("max_value_bytes", settings[KVSettings.maxValueBytes])
            })
        document.member(
            "etcd",
            object: { etcd in
                etcd.member(
                    "endpoints",
                    array: { array in
                        for endpoint in settings[KVSettings.etcdEndpoints] { array.element("\(endpoint)") }
                    })
                etcd.member("prefix", settings[KVSettings.etcdPrefix].prefix)
                etcd.member("store_id", engine?.storeID.description)
                etcd.member("error", self.failure.withLock { $0 })
                etcd.member("watch_error", engine?.watchFailure)
                etcd.member("conflicts_total", engine?.figures.conflicts.load(ordering: .relaxed) ?? 0)
                etcd.member("unknown_outcomes_total", engine?.figures.unknownOutcomes.load(ordering: .relaxed) ?? 0)
                etcd.member("idempotent_replays_total", engine?.figures.replays.load(ordering: .relaxed) ?? 0)
            })
    }
}
