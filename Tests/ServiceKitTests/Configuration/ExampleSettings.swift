@testable import ServiceSettings

/// A small service's settings, with one of each sort.
enum ExampleSettings {
    enum Mode: String, CaseIterable {
        case always, never
    }

    static let listen = Setting("listen", .listenAddress, default: "127.0.0.1:8081", help: "Address to serve on")
    static let adminListen = Setting<ListenAddress?>(optional: "admin-listen", .listenAddress, help: "Second address")
    static let mode = Setting("sync", SettingKind<Mode>.word(placeholder: "mode"), default: "always", help: "When")
    static let least = Setting("least-keys", .integer(in: 1...100), default: "1", help: "Fewest keys")
    static let most = Setting("most-keys", .integer(in: 1...100), default: "100", help: "Most keys")
    static let segment = Setting("segment-bytes", .byteSize(in: 1...(1 << 30)), default: "64MiB", help: "Size")
    static let timeout = Setting("timeout", .duration(in: .zero ... .seconds(60)), default: "10s", help: "Patience")
    static let secret = Setting("secret", .filePath, default: "hidden", help: "Secret", isSecret: true)

    static let table = SettingsTable(
        environmentPrefix: "EX_",
        settings: [listen, adminListen, mode, least, most, segment, timeout, secret],
        check: { settings in
            guard settings[least] > settings[most] else { return [] }
            return [settings.error(least, "\(settings[least]) is more than --most-keys \(settings[most])")]
        }
    )
}
