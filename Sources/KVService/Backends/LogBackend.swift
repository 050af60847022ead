import Admin
import DurableFiles
import Glibc
import HTTPServing
import Health
import JSON
import JSONLogging
import KeyValueStore
import LogFormat
import Logging
import ServiceKit
import ServiceSettings
import Synchronization
import SystemSupport
import TransactionLog

/// The engine in this process, with its log.
final class LogBackend: StoreBackend {
    private let runtime: ServiceRuntime
    private let holder: EngineHolder
    private let memory: MemoryGuard
    private let sources: StoreSources
    private let backups: BackupFigures
    private let metrics: LogMetrics
    private let admin: KVAdmin
    var log: LogMetrics? { self.metrics }

    init(
        _ runtime: ServiceRuntime, _ holder: EngineHolder, _ memory: MemoryGuard, _ watches: WatchFigures,
        _ operations: StoreMetrics
    ) {
        self.runtime = runtime
        self.holder = holder
        self.memory = memory
        let backups = BackupFigures(registry: runtime.registry)
        let sources = StoreSources(holder: holder, memory: memory, watches: watches, backups: backups)
        self.sources = sources
        self.backups = backups
        let (gate, events) = (runtime.gate, runtime.events)
        let reporter = LogFailureReporter(gate: gate, logger: runtime.logger, events: events)
        self.metrics = LogMetrics(
            registry: runtime.registry, holder: holder, operations: operations,
            onFailure: { stage, error in reporter.report(stage, error, now: MonotonicClock.nanoseconds()) },
            onSpaceChange: reporter.spaceChanged, onPlacement: reporter.overwritesFound,
            onCompaction: { events.tell($0) }, onScrub: { events.tell($0) })
        self.admin = KVAdmin(sources: sources, metrics: self.metrics, settings: runtime.settings)
        sources.register(StoreFigure.all, in: runtime.registry)
        runtime.add(.init(name: "log_writable") { holder.embedded?.statistics.failure.map { "\($0)" } })
        runtime.add(
            .init(name: "disk_space", severity: .warning, stops: .writes) {
                holder.embedded?.statistics.diskFull.map {
                    "the next segment cannot be created: sets are refused once the active one is full; reads and "
                        + "deletes continue: \($0)"
                }
            })
        runtime.add(memory.check)
        gate.reportProgress(sources.replay.writeReadiness)
    }

    func adminRoutes(_ authorization: AdminAuthorization) -> [Route] {
        let events = self.runtime.events
        let backup = BackupRoute(
            holder: self.holder, figures: self.backups, authorization: authorization,
            onEvent: { events.tell($0) })
        return [CompactionAdmin(holder: self.holder, authorization: authorization).route, backup.route]
    }

    func writeAdmin(to document: inout JSONWriter) { self.admin.write(to: &document) }

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

    func closed() throws(ServiceFailure) {
        guard let engine = self.holder.embedded else { return }
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
