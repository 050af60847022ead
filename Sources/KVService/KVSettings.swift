import EtcdEngine
import LogFormat
public import ServiceKit
public import ServiceSettings
import TransactionLog

/// The settings of kv-service.
public enum KVSettings {
    public static let common = CommonSettings(listen: "127.0.0.1:8081")
    /// What keeps the data.
    public enum Engine: String, CaseIterable, Sendable { case embedded, etcd }

    static let engine = Setting<Engine>(
        "engine", .word(placeholder: "engine"), default: "embedded",
        help: "What keeps the data: embedded (the log in --data-dir), or etcd; see Docs/Scaling.md")
    static let etcdEndpoints = Setting(
        "etcd-endpoints", .etcdEndpoints, default: "127.0.0.1:2379",
        help: "Members of the etcd cluster, separated by commas")
    static let etcdPrefix = Setting(
        "etcd-prefix", .etcdPrefix, default: "txlog-kv/", help: "What all keys of the store in etcd begin with")
    public static let dataDirectory = Setting(
        "data-dir", .directoryPath, default: "./data/kv",
        help: "Data folder with the log; only one process can use it at a time")
    static let sync = Setting(
        "sync", .syncMode, default: "always",
        help:
            "When writes are acknowledged: always (after fdatasync), interval:<ms> or never (earlier, can lose them)"
    )
    static let segmentBytes = Setting(
        "segment-bytes", .byteSize(in: 1 << 20...4 << 30), default: "67108864", help: "Size of a log segment in bytes")
    static let compactGarbageRatio = Setting(
        "compact-garbage-ratio", .ratio(in: 0.05...0.95), default: "0.5",
        help: "Share of garbage at which a compaction starts, if the log has --compact-min-bytes")
    static let compactMinBytes = Setting(
        "compact-min-bytes", .byteSize(in: 1 << 20...1 << 40), default: "67108864",
        help: "Minimum size of the log for an automatic compaction")
    static let compactMaxBytes = Setting(
        "compact-max-bytes", .byteSize(in: 0...1 << 50), default: "0",
        help: "Size of the log above which a compaction starts if a tenth of it is garbage; 0 turns this off")
    static let compactRate = Setting(
        "compact-rate", .byteSize(in: 1 << 20...16 << 30), default: "67108864",
        help: "Maximum bytes that a compaction writes per second; less while commits are slower than usual")
    static let scrubInterval = Setting(
        "scrub-interval", .duration(in: .seconds(1)...(.seconds(30 * 86_400))), default: "24h",
        help: "Time between two scrubs, which check sealed segments and the snapshot against their checksums")
    static let scrubRate = Setting(
        "scrub-rate", .byteSize(in: 1 << 10...16 << 30), default: "8388608",
        help: "Maximum bytes that a scrub reads per second")
    static let maxKeyBytes = Setting(
        "max-key-bytes", .integer(in: 1...4_096), default: "1024", help: "Maximum length of a key in bytes")
    static let maxValueBytes = Setting(
        "max-value-bytes", .byteSize(in: 1...4 << 20), default: "65536", help: "Maximum length of a value in bytes")

    static let watchHistoryBytes = Setting(
        "watch-history-bytes", .byteSize(in: 0...1 << 40), default: "16777216",
        help: "Memory for the newest changes, from which watchers read and resume; 0 turns watching off")
    static let maxWatchers = Setting(
        "max-watchers", .integer(in: 1...1_000_000), default: "10000", help: "Maximum number of watchers")

    static let maxMemory = Setting(
        "max-memory", .maxMemory, default: "auto",
        help: "Memory limit near which sets are refused: auto (the system's limits), none, or bytes")

    public static let table = SettingsTable(
        environmentPrefix: "KV_",
        settings: Self.common.list(
            with: [
                engine, etcdEndpoints, etcdPrefix, dataDirectory, sync, segmentBytes, compactGarbageRatio,
                compactMinBytes, compactMaxBytes, compactRate,
                scrubInterval, scrubRate, maxKeyBytes, maxValueBytes, watchHistoryBytes, maxWatchers, maxMemory,
            ]),
        check: Self.common.contradictions)

    static func compactionPolicy(_ settings: ResolvedSettings) -> CompactionPolicy {
        var policy = CompactionPolicy()
        policy.garbageRatio = settings[Self.compactGarbageRatio]
        policy.minBytes = UInt64(settings[Self.compactMinBytes])
        policy.maxBytes = UInt64(settings[Self.compactMaxBytes])
        policy.bytesPerSecond = UInt64(settings[Self.compactRate])
        return policy
    }
}

extension SettingKind where Value == [EtcdEndpoint] {
    fileprivate static var etcdEndpoints: SettingKind {
        SettingKind(
            placeholder: "host:port,…", expectation: "addresses such as 10.0.0.1:2379,10.0.0.2:2379",
            parse: { text in
                let parts = text.split(separator: ",", omittingEmptySubsequences: false)
                let endpoints = parts.compactMap { EtcdEndpoint(String($0)) }
                return endpoints.count == parts.count && Set(endpoints).count == parts.count ? endpoints : nil
            })
    }
}

extension SettingKind where Value == EtcdKeyspace {
    fileprivate static var etcdPrefix: SettingKind {
        SettingKind(
            placeholder: "prefix", expectation: "1 to 128 printable ASCII characters, without blanks",
            parse: { text in
                let isPlain = text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
                return isPlain && (1...128).contains(text.utf8.count) ? EtcdKeyspace(prefix: text) : nil
            })
    }
}

extension SettingKind where Value == SyncMode {
    fileprivate static var syncMode: SettingKind {
        SettingKind(
            placeholder: "mode", expectation: "one of always, interval:<ms> with 1 to 60000 ms, never",
            completion: .words(["always", "interval:100", "never"])
        ) { SyncMode($0) }
    }
}
