package import ServiceKit
import TransactionLog

/// The settings of kv-service.
package enum KVSettings {
    package static let common = CommonSettings(listen: "127.0.0.1:8081")
    package static let dataDirectory = Setting(
        "data-dir", .directoryPath, default: "./data/kv", help: "Folder of the log, used by one process at a time")
    static let sync = Setting(
        "sync", .syncMode, default: "always",
        help: "When a write is acknowledged: always (after fdatasync), interval:<ms> or never (earlier, can lose it)")
    static let segmentBytes = Setting(
        "segment-bytes", .byteSize(in: 1 << 20...4 << 30), default: "67108864", help: "Size of a log segment")
    static let maxKeyBytes = Setting(
        "max-key-bytes", .integer(in: 1...4_096), default: "1024", help: "Longest key in bytes")
    static let maxValueBytes = Setting(
        "max-value-bytes", .byteSize(in: 1...4 << 20), default: "65536", help: "Longest value in bytes")

    package static let table = SettingsTable(
        environmentPrefix: "KV_",
        settings: Self.common.list(with: [dataDirectory, sync, segmentBytes, maxKeyBytes, maxValueBytes]))
}

extension SettingKind where Value == SyncMode {
    fileprivate static var syncMode: SettingKind {
        SettingKind(
            placeholder: "mode", expectation: "one of always, interval:<ms> with 1 to 60000 ms, never",
            completion: .words(["always", "interval:100", "never"])
        ) { SyncMode($0) }
    }
}
