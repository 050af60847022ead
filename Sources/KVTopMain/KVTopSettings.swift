import ArgumentParser
import DashboardModel
import DashboardRender
import ServiceSettings

/// What can be set by flag, environment variable and configuration file, as the services' settings are.
enum KVTopSettings {
    private static let mostTargets = 16

    static let services = Setting(
        "kv", .serviceURLs(upTo: mostTargets), default: "http://127.0.0.1:8081",
        help: "URL of a kv-service, or none; repeat the flag, or write commas between several")
    static let gateway = Setting(
        "gateway", .serviceURLs(upTo: 1), default: "http://127.0.0.1:8080", help: "URL of the api-gateway, or none")
    static let interval = Setting(
        "interval", .duration(in: .milliseconds(250) ... .seconds(10)), default: "1s", help: "Time between two polls")
    static let adminTokenFile = Setting<String?>(
        optional: "admin-token-file", .filePath,
        help: "File with the access key that all requests are sent with, or the bearer token for actions; - asks for it"
    )
    static let tlsCAFile = Setting<String?>(
        optional: "tls-ca-file", .filePath,
        help: "For https: PEM file with the authorities to trust; without it, those of the system")
    static let tlsCertFile = Setting<String?>(
        optional: "tls-cert-file", .filePath, help: "For https: PEM file with the certificate to show")
    static let tlsKeyFile = Setting<String?>(
        optional: "tls-key-file", .filePath, help: "For https: PEM file with the private key of that certificate")
    static let isReadOnly = Setting(
        "read-only", .boolean, default: "false", help: "Start no compaction, whatever key is pressed")
    static let theme = Setting<ViewState.Theme>(
        "theme", .word(placeholder: "name"), default: "dark", help: "Colours: dark, light, mono or high-contrast")

    static let errorRatio = limits("error-ratio", of: "the share of server errors", \.errorRatio)
    static let p99 = limits("p99-seconds", of: "the 99th percentile of a handler", \.p99)
    static let syncP99 = limits("fsync-p99-seconds", of: "the 99th percentile of fsync", \.syncP99)
    static let garbageRatio = limits("garbage-ratio", of: "the garbage of the log", \.garbageRatio)
    static let diskUse = limits("disk-use-ratio", of: "the used part of the log's file system", \.diskUse)
    static let memoryUse = limits("memory-use-ratio", of: "the used part of the memory limit", \.memoryUse)

    static let table = SettingsTable(
        environmentPrefix: "KVTOP_",
        settings: [
            services, gateway, interval, adminTokenFile, tlsCAFile, tlsCertFile, tlsKeyFile, isReadOnly, theme,
            errorRatio, p99, syncP99, garbageRatio,
            diskUse, memoryUse,
        ],
        check: { settings in
            switch settings[services].count + settings[gateway].count {
            case 0: [settings.error(services, "there is nothing to watch: neither --kv nor --gateway")]
            case 1...mostTargets: []
            default: [settings.error(services, "more than \(mostTargets) services cannot be watched at once")]
            }
        })

    private static func limits(
        _ name: String, of figure: String, _ path: KeyPath<Thresholds, Threshold>
    ) -> Setting<Threshold> {
        let usual = Thresholds()[keyPath: path]
        return Setting(
            "threshold-\(name)", .threshold, default: "\(usual.warning),\(usual.critical)",
            help: "Warning limit and critical limit of \(figure)")
    }

    static func thresholds(_ settings: ResolvedSettings) -> Thresholds {
        var thresholds = Thresholds()
        thresholds.errorRatio = settings[self.errorRatio]
        thresholds.p99 = settings[self.p99]
        thresholds.syncP99 = settings[self.syncP99]
        thresholds.garbageRatio = settings[self.garbageRatio]
        thresholds.diskUse = settings[self.diskUse]
        thresholds.memoryUse = settings[self.memoryUse]
        return thresholds
    }

    /// A configuration file with the defaults, which `--default-config` prints.
    static var defaultFile: String {
        let members = self.table.settings.compactMap { setting in
            setting.defaultText.map { text in
                "  \"\(setting.name)\": " + (setting.jsonForms.contains(.string) ? "\"\(text)\"" : text)
            }
        }
        return "{\n\(members.joined(separator: ",\n"))\n}\n"
    }
}

extension SettingKind where Value == [String] {
    /// URLs without slashes at the end, with commas between them; `none` is no URL, and a missing scheme is `http://`.
    static func serviceURLs(upTo limit: Int) -> SettingKind {
        SettingKind(
            placeholder: "url",
            expectation: "a URL such as http://127.0.0.1:8081, or none"
                + (limit > 1 ? ", or up to \(limit) of them with commas between them" : ""),
            parse: { text in
                let parts = text.split(separator: ",", omittingEmptySubsequences: false).filter { $0 != "none" }
                let urls = parts.compactMap(Self.url)
                return urls.count == parts.count && urls.count <= limit ? urls : nil
            })
    }

    private static func url(_ text: Substring) -> String? {
        var url = text.contains("://") ? String(text) : "http://\(text)"
        while url.hasSuffix("/") { url.removeLast() }
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? ""
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !rest.isEmpty,
            rest.unicodeScalars.allSatisfy({ $0.isASCII && $0.value > 0x20 })
        else { return nil }
        return url
    }
}

extension SettingKind where Value == Threshold {
    /// `0.01,0.05`: the limit of a warning, and that from which on a figure is critical.
    static var threshold: SettingKind {
        SettingKind(
            placeholder: "warning,critical",
            expectation: "two numbers such as 0.01,0.05: the first above 0, the second no lower",
            parse: { text in
                let limits = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
                guard limits.count == 2, let warning = limits[0], let critical = limits[1], warning > 0,
                    warning <= critical, critical < .infinity
                else { return nil }
                return Threshold(warning: warning, critical: critical)
            })
    }
}

extension ArgumentHelp {
    /// As the services' `--help` shows a setting.
    init(_ setting: any SettingDefinition) {
        self.init("\(setting.help) [\(KVTopSettings.table.origin(of: setting))]", valueName: setting.placeholder)
    }
}
