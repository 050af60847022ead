import Admin
import DurableFiles
import Glibc
import HTTPServing
import Health
import JSONLogging
import KeyValueHTTP
import KeyValueStore
import LogFormat
import Logging
import NIOCore
import ServiceKit
import ServiceSettings
import Synchronization
import SystemSupport
import TransactionLog

/// The parts of a running kv-service.
final class KVService: Sendable {
    private let runtime: ServiceRuntime
    private let holder = EngineHolder()
    private let sources: StoreSources
    private let metrics: StoreMetrics
    private let limits: KeyValueLimits
    private let memory: MemoryGuard
    private let watches: WatchFigures
    private let backups: BackupFigures
    let admin: KVAdmin

    init(runtime: ServiceRuntime) {
        let settings = runtime.settings
        self.runtime = runtime
        self.memory = MemoryGuard(
            setting: settings[KVSettings.maxMemory], events: runtime.events, holder: self.holder)
        self.watches = WatchFigures(registry: runtime.registry, limit: settings[KVSettings.maxWatchers])
        self.backups = BackupFigures(registry: runtime.registry)
        self.sources = StoreSources(
            holder: self.holder, memory: self.memory, watches: self.watches, backups: self.backups)
        self.limits = KeyValueLimits(
            maxKeyBytes: settings[KVSettings.maxKeyBytes], maxValueBytes: settings[KVSettings.maxValueBytes])
        let (gate, events) = (runtime.gate, runtime.events)
        let reporter = LogFailureReporter(gate: gate, logger: runtime.logger, events: events)
        self.metrics = StoreMetrics(
            registry: runtime.registry, holder: self.holder,
            onFailure: { stage, error in reporter.report(stage, error, now: MonotonicClock.nanoseconds()) },
            onSpaceChange: reporter.spaceChanged, onPlacement: reporter.overwritesFound,
            onCompaction: { events.tell($0) }, onScrub: { events.tell($0) })
        self.sources.register(in: runtime.registry)
        self.admin = KVAdmin(sources: self.sources, metrics: self.metrics, settings: settings)
        runtime.add(.init(name: "log_writable") { [holder] in holder.engine?.statistics.failure.map { "\($0)" } })
        runtime.add(
            .init(name: "disk_space", severity: .warning, stops: .writes) { [holder] in
                holder.engine?.statistics.diskFull.map {
                    "the next segment cannot be created: sets are refused once the active one is full; reads and "
                        + "deletes continue: \($0)"
                }
            })
        runtime.add(self.memory.check)
        gate.reportProgress(self.sources.replay.writeReadiness)
    }

    /// The routes below `/admin` that only kv-service has.
    func adminRoutes(_ authorization: AdminAuthorization) -> [Route] {
        let events = self.runtime.events
        let backup = BackupRoute(
            holder: self.holder, figures: self.backups, authorization: authorization, onEvent: { events.tell($0) })
        return [CompactionAdmin(holder: self.holder, authorization: authorization).route, backup.route]
    }

    func routes(_ eventLoop: any EventLoop) -> [Route] {
        let store = LoopStore(eventLoop: eventLoop, holder: self.holder)
        return KVRoutes(store: store, limits: self.limits, metrics: self.metrics, memory: self.memory).routes
            + WatchRoutes(eventLoop: eventLoop, holder: self.holder, figures: self.watches).routes
    }

    // MARK: - Start

    func start() async throws(ServiceFailure) {
        let settings = self.runtime.settings
        var configuration = LogConfiguration(
            directory: settings[KVSettings.dataDirectory],
            owner: "kv-service, process \(getpid()), instance \(self.runtime.identity.instanceID)")
        configuration.syncMode = settings[KVSettings.sync]
        configuration.segmentBytes = settings[KVSettings.segmentBytes]
        configuration.compaction = KVSettings.compactionPolicy(settings)
        configuration.scrub.intervalSeconds = settings[KVSettings.scrubInterval] / .seconds(1)
        configuration.scrub.bytesPerSecond = UInt64(settings[KVSettings.scrubRate])
        if let limit = self.memory.smallestLimit {
            // Writes in the queue and writes that the writer has taken from it both count.
            configuration.queueLimitBytes = min(configuration.queueLimitBytes, max(4 << 20, Int(clamping: limit / 32)))
        }
        #if DEBUG
        configuration.failPoint = FailPoint.fromEnvironment()
        #endif
        if let warning = configuration.syncMode.warning {
            self.runtime.logger.warning("\(warning)", metadata: ["sync": "\(configuration.syncMode)"])
        }
        self.runtime.gate.set(.replaying)
        let engine = try await self.open(configuration)
        self.holder.set(engine)
        self.runtime.events.tell(engine.report, keys: engine.figures.keys)
        for name in engine.report.unknownFiles {
            self.runtime.logger.warning(
                "ignoring a file in the data folder that does not belong to the log", metadata: ["file": "\(name)"])
        }
        do throws(ThreadError) { try self.memory.start() } catch { throw ServiceFailure(.internalError, "\(error)") }
        self.watchCapacity()
        self.runtime.gate.set(.ready)
    }

    /// Opens the engine on its own thread, because the replay blocks it.
    private func open(_ configuration: LogConfiguration) async throws(ServiceFailure) -> EmbeddedEngine {
        let replay = self.sources.replay
        let (metrics, logger, memory, events) = (self.metrics, self.runtime.logger, self.memory, self.runtime.events)
        var historyBytes = self.runtime.settings[KVSettings.watchHistoryBytes]
        // Within a small limit the index needs the memory more.
        if historyBytes > 0, let limit = memory.smallestLimit {
            historyBytes = min(historyBytes, max(ChangeHistory.smallestLimitBytes, Int(clamping: limit / 32)))
        }
        let mostHistoryBytes = historyBytes
        replay.begin()
        let result: Result<EmbeddedEngine, LogError> = await withCheckedContinuation { continuation in
            do throws(ThreadError) {
                try DedicatedThread.start(name: "kv-replay") {
                    let lines = ReplayLogLines(replay, logger)
                    do throws(LogError) {
                        let engine = try EmbeddedEngine(
                            opening: configuration, observer: metrics, historyBytes: mostHistoryBytes,
                            onClockStep: { events.tell(clockStepMilliseconds: $0) }
                        ) { progress, indexBytes throws(LogError) in
                            lines.update(progress)
                            try memory.replayed(progress, indexBytes: indexBytes)
                        }
                        replay.end(.done)
                        continuation.resume(returning: .success(engine))
                    } catch {
                        replay.end(.failed)
                        continuation.resume(returning: .failure(error))
                    }
                }
            } catch {
                replay.end(.failed)
                continuation.resume(returning: .failure(.thread(error)))
            }
        }
        do { return try result.get() } catch {
            self.runtime.gate.set(.failed(reason: "\(error)"))
            throw ServiceFailure(error, directory: configuration.directory)
        }
    }

    /// Reads the free space every few seconds, off the event loops, for as long as the process runs.
    private func watchCapacity() {
        let (sources, logger) = (self.sources, self.runtime.logger)
        do {
            try DedicatedThread.start(name: "kv-capacity") {
                while true {
                    do throws(SystemError) { try sources.refreshCapacity() } catch {
                        logger.warning("cannot read the free space", metadata: ["error": "\(error)"])
                    }
                    sleep(5)
                }
            }
        } catch {
            logger.warning("cannot read the free space", metadata: ["error": "\(error)"])
        }
    }

    // MARK: - Stop

    /// - Throws: ``ServiceFailure`` if the log had failed: a stop after refused or unknown writes is not clean.
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
        self.runtime.logger.notice(
            "log closed",
            metadata: [
                "revision": .number(engine.statistics.lastRevision),
                "durable_revision": .number(engine.statistics.durableRevision.load(ordering: .acquiring)),
                "result": "\(engine.statistics.failure.map { "failed: \($0)" } ?? "clean")",
            ])
        if let failure = engine.statistics.failure {
            throw ServiceFailure(.failure, "the log had failed: \(failure)")
        }
    }
}
