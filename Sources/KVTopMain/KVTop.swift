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
            compaction, the way from the gateway to kv-service, and events. ? lists the keys, q quits.

            A flag counts before its environment variable (KVTOP_KV with commas between several, KVTOP_GATEWAY, \
            KVTOP_INTERVAL, KVTOP_THEME, KVTOP_ADMIN_TOKEN_FILE), and that before the configuration file. NO_COLOR, \
            if it is not empty, turns colours off.

            Exit codes:
            \(KVTopExit.list)

            A kvtop that was killed with SIGKILL leaves the terminal as it was: type reset.
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
            throw ValidationError("--record and --replay do not go together")
        }
        if self.reports.json || self.reports.csv, !self.reports.once, !self.reports.batch {
            throw ValidationError("--json and --csv need --once or --batch")
        }
        if self.reports.json, self.reports.csv { throw ValidationError("--json and --csv do not go together") }
        if let count = self.reports.count, count < 1 { throw ValidationError("-n \(count): give 1 or more") }
        guard (0.1...1_000).contains(self.recordings.speed) else {
            throw ValidationError("--speed \(self.recordings.speed): give 0.1 to 1000")
        }
        if let seek = self.recordings.seek, !(seek >= 0 && seek < .infinity) {
            throw ValidationError("--seek \(seek): give seconds from the beginning of the recording")
        }
        if self.reports.once, self.reports.batch { throw ValidationError("--once and --batch do not go together") }
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
        help: ArgumentHelp("A kv-service; may be given several times, none for no one.", valueName: "url"))
    var kv: [String] = []

    @Option(help: ArgumentHelp("The api-gateway, or none.", valueName: "url"))
    var gateway: String?

    @Option(help: ArgumentHelp("How often to poll: 250ms to 10s.", valueName: "duration"))
    var interval: String?

    @Option(help: ArgumentHelp("The bearer token that actions are sent with is in this file.", valueName: "file"))
    var adminTokenFile: String?

    @Flag(help: "Start no compaction, whatever is pressed.")
    var readOnly = false

    @Option(help: ArgumentHelp("JSON file with settings, see --default-config.", valueName: "file"))
    var config: String?
}

struct ReportOptions: ParsableArguments {
    @Flag(help: "Poll twice, one interval apart, print one screen, and end.")
    var once = false

    @Flag(help: "Print a screen after each interval, without control sequences.")
    var batch = false

    @Flag(help: "Print JSON with raw numbers: one document, or with --batch one in each line.")
    var json = false

    @Flag(help: "Print comma-separated values with raw numbers: a line for each handler.")
    var csv = false

    @Option(
        name: [.customShort("n"), .long], help: ArgumentHelp("How many screens --batch prints.", valueName: "number"))
    var count: Int?

    @Option(help: ArgumentHelp("The size of a printed screen; else that of the terminal, or 80x24.", valueName: "WxH"))
    var size: String?
}

struct RecordingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Write all polls to this new file.", valueName: "file"))
    var record: String?

    @Option(help: ArgumentHelp("Show what was recorded instead of polling.", valueName: "file"))
    var replay: String?

    @Option(help: ArgumentHelp("How fast to replay, 0.1 to 1000 times as it was.", valueName: "factor"))
    var speed: Double = 1

    @Option(
        help: ArgumentHelp(
            "Where to begin the replay; with --once, which moment to print (else the last).", valueName: "seconds"))
    var seek: Double?
}

struct ScreenOptions: ParsableArguments {
    @Option(help: ArgumentHelp("dark, light, mono or high-contrast.", valueName: "name"))
    var theme: String?

    @Option(help: ArgumentHelp("The view to begin with: overview, kv, gateway, log or events.", valueName: "name"))
    var view: String?

    @Flag(help: "No colours: attributes tell figures apart.")
    var noColor = false

    @Flag(help: "ASCII characters only, whatever the locale is.")
    var ascii = false

    @Flag(help: "Leave the mouse to the terminal.")
    var noMouse = false

    @Flag(help: "Print a configuration file with the defaults, and end.")
    var defaultConfig = false
}
