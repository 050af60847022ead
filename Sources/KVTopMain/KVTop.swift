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

            A flag overrides its environment variable (KVTOP_KV, separated by commas, KVTOP_GATEWAY, KVTOP_INTERVAL, \
            KVTOP_THEME, KVTOP_ADMIN_TOKEN_FILE), and the variable overrides the configuration file. If NO_COLOR is \
            not empty, kvtop uses no colours.

            Exit codes:
            \(KVTopExit.list)

            If kvtop was killed with SIGKILL, type reset to restore the terminal.
            """,
        version: "kvtop \(BuildInfo.version) (commit \(BuildInfo.commit))")

    @OptionGroup(title: "What to watch")
    var sources: SourceOptions

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
            try StandardStream.writeOutput(ConfigurationFile.example)
            return
        }
        if let obstacle = ProcessSetup.obstacle {
            StandardStream.writeError("kvtop: \(obstacle)\n")
            throw KVTopExit.file
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

struct SourceOptions: ParsableArguments {
    @Option(
        name: .customLong("kv"),
        help: ArgumentHelp("URL of a kv-service; repeat it for several, or none.", valueName: "url"))
    var kv: [String] = []

    @Option(help: ArgumentHelp("URL of the api-gateway, or none.", valueName: "url"))
    var gateway: String?

    @Option(help: ArgumentHelp("Time between two polls: 250ms to 10s.", valueName: "duration"))
    var interval: String?

    @Option(help: ArgumentHelp("File with the bearer token for actions.", valueName: "file"))
    var adminTokenFile: String?

    @Flag(help: "Never start a compaction; the key c is disabled.")
    var readOnly = false

    @Option(help: ArgumentHelp("JSON file with settings; see --default-config.", valueName: "file"))
    var config: String?
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
    @Option(help: ArgumentHelp("Colours: dark, light, mono or high-contrast.", valueName: "name"))
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
