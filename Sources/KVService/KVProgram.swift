import Admin
import KeyValueHTTP
public import ServiceKit
public import ServiceSettings
public import SystemSupport

/// kv-service: the store behind HTTP.
public enum KVProgram: ServiceProgram {
    public static let name = "kv-service"
    public static let abstract = "A durable key-value store: data in memory, every change in a transaction log."
    public static let examples: [(command: String, does: String)] = [
        ("kv-service --data-dir /var/lib/kv", "serve the store in that folder on 127.0.0.1:8081"),
        ("KV_SYNC=interval:100 kv-service check-config", "show the effective settings"),
        ("kv-service healthcheck --listen 127.0.0.1:8081", "exit 0 if the service there is ready"),
    ]
    public static let settings = KVSettings.table
    public static let common = KVSettings.common

    public static func serve(_ settings: ResolvedSettings, _ openFiles: ProcessSetup.OpenFiles) async -> ProgramExit {
        // The files of the log, of a compaction, a scrub and a backup, and those that every process has: three per event loop.
        let limit = ServiceRuntime.connectionLimit(
            name: Self.name, settings: settings, common: KVSettings.common, openFiles,
            own: { loops in .init(least: 27 + 3 * loops, most: 41 + 4 * loops) })
        guard let limit else { return .configuration }
        let runtime = ServiceRuntime(
            name: Self.name, metricPrefix: "kv", settings: settings, common: KVSettings.common,
            handlers: KVRoutes.handlers + WatchRoutes.handlers, adminStatuses: CompactionAdmin.statuses,
            adminProblems: CompactionAdmin.problems + BackupRoute.problems, eventKinds: EventKind.ofKVService,
            connectionLimit: limit, longestTargetBytes: KeyValueLimits.longestTargetBytes)
        let authorization: AdminAuthorization
        do { authorization = try runtime.adminAuthorization() } catch { return await runtime.refuse(error) }
        let service = KVService(runtime: runtime)
        return await runtime.run(
            routes: { service.routes($0) },
            admin: { _ in
                runtime.adminRoutes(authorization: authorization, members: service.backend.writeAdmin(to:))
                    + service.backend.adminRoutes(authorization)
            },
            start: { () async throws(ServiceFailure) in try await service.start() },
            stop: { try await service.stop() })
    }
}
