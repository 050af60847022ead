import ServiceSettings

/// The table that `check-config` prints.
enum SettingsReport {
    /// One line per setting: name, value, source; columns are aligned.
    static func table(_ entries: [ResolvedSettings.Entry]) -> String {
        let rows =
            [("SETTING", "VALUE", "SOURCE")] + entries.map { ($0.name, $0.text ?? "(none)", self.origin($0)) }
        let nameWidth = rows.map(\.0.count).max() ?? 0
        let valueWidth = rows.map(\.1.count).max() ?? 0
        return rows.map { name, value, origin in
            "\(self.pad(name, nameWidth))  \(self.pad(value, valueWidth))  \(origin)\n"
        }.joined()
    }

    private static func origin(_ entry: ResolvedSettings.Entry) -> String {
        switch entry.source {
        case .default: "default"
        case .file(let path): "file \(path)"
        case .environment(let variable): "environment \(variable)"
        case .flag: "flag --\(entry.name)"
        }
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
