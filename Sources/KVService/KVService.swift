import Admin
import HTTPServing
import Health
import KeyValueHTTP
import KeyValueStore
import NIOCore
import ServiceKit
import ServiceSettings
import SystemSupport

/// The parts of a running kv-service.
final class KVService: Sendable {
    private let runtime: ServiceRuntime
    private let holder = EngineHolder()
    private let metrics: StoreMetrics
    private let limits: KeyValueLimits
    private let memory: MemoryGuard
    private let watches: WatchFigures
    let backend: any StoreBackend

    init(runtime: ServiceRuntime) {
        let settings = runtime.settings
        self.runtime = runtime
        self.memory = MemoryGuard(
            setting: settings[KVSettings.maxMemory], events: runtime.events, holder: self.holder)
        self.watches = WatchFigures(registry: runtime.registry, limit: settings[KVSettings.maxWatchers])
        self.limits = KeyValueLimits(
            maxKeyBytes: settings[KVSettings.maxKeyBytes], maxValueBytes: settings[KVSettings.maxValueBytes])
        self.metrics = StoreMetrics(registry: runtime.registry)
        let (holder, memory, watches) = (self.holder, self.memory, self.watches)
        self.backend =
            switch settings[KVSettings.engine] {
            case .embedded: LogBackend(runtime, holder, memory, watches, self.metrics)
            case .etcd: EtcdBackend(runtime, holder, memory, watches)
            }
    }

    func routes(_ eventLoop: any EventLoop) -> [Route] {
        let store = LoopStore(eventLoop: eventLoop, holder: self.holder)
        let routes = KVRoutes(
            store: store, limits: self.limits, metrics: self.metrics, log: self.backend.log, memory: self.memory)
        return routes.routes
            + WatchRoutes(eventLoop: eventLoop, holder: self.holder, figures: self.watches).routes
    }

    func start() async throws(ServiceFailure) {
        try await self.backend.start()
        self.runtime.gate.set(.ready)
    }

    /// - Throws: if the engine had failed: a stop after refused or unknown writes is not clean.
    func stop() async throws(ServiceFailure) {
        guard let engine = self.holder.engine else { return }
        await withCheckedContinuation { continuation in
            do {
                try DedicatedThread.start(name: "kv-close") {
                    engine.close()
                    continuation.resume()
                }
            } catch {
                // On this thread: only the stop still waits for it.
                engine.close()
                continuation.resume()
            }
        }
        try self.backend.closed()
    }
}
