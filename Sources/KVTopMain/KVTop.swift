import ArgumentParser
import DashboardModel
import DashboardPolling
import DashboardRender
import Glibc
import ServiceSettings
import SystemSupport

/// The command line.
struct KVTop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvtop",
        abstract: "Live dashboard of kv-service and api-gateway in the terminal.",
        discussion: """
            Polls /metrics and /admin of the services and shows request rates, errors, latency quantiles, the log, \
            compaction, the gateway's connections to kv-service, and events. Press ? for the keys, q to quit.

            A setting with an environment variable in brackets uses its flag, else the variable, else the JSON file given \
            by --config, else its default. If NO_COLOR is not empty, kvtop uses no colours.

            Exit codes:
            \(ProgramExit.table)

            If kvtop was killed with SIGKILL, type reset to restore the terminal.
            """,
        version: "kvtop \(BuildInfo.version) (commit \(BuildInfo.commit))")

    @OptionGroup(title: "What to watch")
    var sources: SourceOptions

    @OptionGroup(title: "Marks")
    var thresholds: ThresholdOptions

    @OptionGroup(title: "Without a screen")
    var reports: ReportOptions

    @OptionGroup(title: "Recordings")
    var recordings: RecordingOptions

    @OptionGroup(title: "The screen")
    var screen: ScreenOptions

    mutating func validate() throws {
        if self.recordings.replay != nil, self.recordings.record != nil {
            throw ValidationError("--record and --replay cannot be combined")
        }
        if self.reports.json || self.reports.csv, !self.reports.once, !self.reports.batch {
            throw ValidationError("--json and --csv need --once or --batch")
        }
        if self.reports.json, self.reports.csv { throw ValidationError("--json and --csv cannot be combined") }
        if let count = self.reports.count, count < 1 { throw ValidationError("-n \(count): give 1 or more") }
        guard (0.1...1_000).contains(self.recordings.speed) else {
            throw ValidationError("--speed \(self.recordings.speed): give 0.1 to 1000")
        }
        if let seek = self.recordings.seek, !(seek >= 0 && seek < .infinity) {
            throw ValidationError("--seek \(seek): give seconds from the beginning of the recording")
        }
        if self.reports.once, self.reports.batch { throw ValidationError("--once and --batch cannot be combined") }
    }

    mutating func run() throws {
        let settings = try Settings(self)
        if self.screen.defaultConfig {
            try StandardStream.writeOutput(KVTopSettings.defaultFile)
            return
        }
        if let obstacle = ProcessSetup.obstacle {
            StandardStream.tell("kvtop: \(obstacle)\n")
            throw ProgramExit.inputOutput
        }
        if self.recordings.replay != nil {
            try ReplaySession(settings).run()
        } else if settings.isReport {
            try ReportSession(settings).run()
        } else {
            try LiveSession(settings).run()
        }
    }
}

extension KVTop {
    /// The texts of the settings that were given as flags, by name.
    var settingTexts: [String: String] {
        let texts: [(any SettingDefinition, String?)] = [
            (KVTopSettings.services, self.sources.kv.isEmpty ? nil : self.sources.kv.joined(separator: ",")),
            (KVTopSettings.gateway, self.sources.gateway), (KVTopSettings.interval, self.sources.interval),
            (KVTopSettings.adminTokenFile, self.sources.adminTokenFile),
            (KVTopSettings.tlsCAFile, self.sources.tlsCAFile), (KVTopSettings.tlsCertFile, self.sources.tlsCertFile),
            (KVTopSettings.tlsKeyFile, self.sources.tlsKeyFile),
            (KVTopSettings.isReadOnly, self.sources.readOnly ? "true" : nil),
            (KVTopSettings.theme, self.screen.theme), (SettingsTable.configFile, self.sources.config),
            (KVTopSettings.errorRatio, self.thresholds.thresholdErrorRatio),
            (KVTopSettings.p99, self.thresholds.thresholdP99),
            (KVTopSettings.syncP99, self.thresholds.thresholdSyncP99),
            (KVTopSettings.garbageRatio, self.thresholds.thresholdGarbageRatio),
            (KVTopSettings.diskUse, self.thresholds.thresholdDiskUseRatio),
            (KVTopSettings.memoryUse, self.thresholds.thresholdMemoryUseRatio),
        ]
        return Dictionary(uniqueKeysWithValues: texts.compactMap { setting, text in text.map { (setting.name, $0) } })
    }
}

struct SourceOptions: ParsableArguments {
    @Option(help: ArgumentHelp(KVTopSettings.services))
    var kv: [String] = []

    @Option(help: ArgumentHelp(KVTopSettings.gateway))
    var gateway: String?

    @Option(help: ArgumentHelp(KVTopSettings.interval))
    var interval: String?

    @Option(help: ArgumentHelp(KVTopSettings.adminTokenFile), completion: .file())
    var adminTokenFile: String?

    @Option(
        name: .customLong(KVTopSettings.tlsCAFile.name), help: ArgumentHelp(KVTopSettings.tlsCAFile),
        completion: .file())
    var tlsCAFile: String?

    @Option(help: ArgumentHelp(KVTopSettings.tlsCertFile), completion: .file())
    var tlsCertFile: String?

    @Option(help: ArgumentHelp(KVTopSettings.tlsKeyFile), completion: .file())
    var tlsKeyFile: String?

    @Flag(help: ArgumentHelp(KVTopSettings.isReadOnly))
    var readOnly = false

    @Option(
        help: ArgumentHelp("JSON file with settings; see --default-config [KVTOP_CONFIG]", valueName: "file"),
        completion: .file())
    var config: String?
}

struct ThresholdOptions: ParsableArguments {
    @Option(help: ArgumentHelp(KVTopSettings.errorRatio))
    var thresholdErrorRatio: String?

    @Option(name: .customLong(KVTopSettings.p99.name), help: ArgumentHelp(KVTopSettings.p99))
    var thresholdP99: String?

    @Option(name: .customLong(KVTopSettings.syncP99.name), help: ArgumentHelp(KVTopSettings.syncP99))
    var thresholdSyncP99: String?

    @Option(help: ArgumentHelp(KVTopSettings.garbageRatio))
    var thresholdGarbageRatio: String?

    @Option(help: ArgumentHelp(KVTopSettings.diskUse))
    var thresholdDiskUseRatio: String?

    @Option(help: ArgumentHelp(KVTopSettings.memoryUse))
    var thresholdMemoryUseRatio: String?
}

struct ReportOptions: ParsableArguments {
    @Flag(help: "Poll twice, one interval apart, print one screen, and exit.")
    var once = false

    @Flag(help: "Print a screen after each interval, without control sequences.")
    var batch = false

    @Flag(help: "Print JSON with raw numbers: one document, or with --batch one per line.")
    var json = false

    @Flag(help: "Print comma-separated values with raw numbers: one line per handler.")
    var csv = false

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("Number of screens that --batch prints.", valueName: "number"))
    var count: Int?

    @Option(
        help: ArgumentHelp("Size of a printed screen; by default that of the terminal, or 80x24.", valueName: "WxH"))
    var size: String?
}

struct RecordingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Write all polls to this new file.", valueName: "file"))
    var record: String?

    @Option(help: ArgumentHelp("Show a recording instead of polling.", valueName: "file"))
    var replay: String?

    @Option(help: ArgumentHelp("Speed of the replay: 0.1 to 1000 times the original.", valueName: "factor"))
    var speed: Double = 1

    @Option(
        help: ArgumentHelp(
            "Start of the replay; with --once, the moment to print (by default the last).", valueName: "seconds"))
    var seek: Double?
}

struct ScreenOptions: ParsableArguments {
    @Option(help: ArgumentHelp(KVTopSettings.theme), completion: .list(ViewState.Theme.allCases.map(\.rawValue)))
    var theme: String?

    @Option(help: ArgumentHelp("First view: overview, kv, gateway, log or events.", valueName: "name"))
    var view: String?

    @Flag(help: "No colours; use bold, reverse and similar attributes instead.")
    var noColor = false

    @Flag(help: "Use ASCII characters only, in any locale.")
    var ascii = false

    @Flag(help: "Do not use the mouse; the terminal handles it.")
    var noMouse = false

    @Flag(help: "Print a configuration file with the defaults, and exit.")
    var defaultConfig = false
}
