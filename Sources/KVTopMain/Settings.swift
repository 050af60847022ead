import ArgumentParser
import DashboardModel
import DashboardPolling
import DashboardRender
import Glibc
import ServiceSettings
import SystemSupport
import TransportSecurity

/// The settings from the command line, the environment and the configuration file.
struct Settings {
    var targets: [Target]
    var intervalSeconds: Double
    var token: String?
    var certificates = CertificateFiles()
    var thresholds: Thresholds
    var view = ViewState()
    var isReport: Bool
    var isOnce: Bool
    var format: ReportFormat
    var count: Int?
    var size: (columns: Int, rows: Int)?
    var recordPath: String?
    var replayPath: String?
    var seekSeconds: Double?
    var speed: Double
    var wantsColor: Bool
    var isASCII: Bool
    var wantsMouse: Bool

    /// - Throws: ``ProgramExit/configuration`` after printing every wrong setting, one line each; `ValidationError` for the
    ///   other flags.
    init(_ command: KVTop) throws {
        let environment = ProcessEnvironment.current
        let resolved: ResolvedSettings
        do {
            resolved = try KVTopSettings.table.resolve(flags: command.settingTexts, environment: environment)
        } catch {
            StandardStream.tell("Error: \(error.description)\n")
            throw ProgramExit.configuration
        }
        for warning in resolved.warnings { StandardStream.tell("kvtop: warning: \(warning)\n") }
        self.targets = Self.targets(resolved)
        self.intervalSeconds = resolved[KVTopSettings.interval] / .seconds(1)
        self.token = try resolved[KVTopSettings.adminTokenFile].map { path in
            do { return try ClientSecret.read(path) } catch { throw ValidationError("\(path) \(error)") }
        }
        self.certificates = CertificateFiles(
            certificate: resolved[KVTopSettings.tlsCertFile], privateKey: resolved[KVTopSettings.tlsKeyFile],
            authorities: resolved[KVTopSettings.tlsCAFile])
        self.thresholds = KVTopSettings.thresholds(resolved)
        self.isOnce = command.reports.once
        self.isReport = command.reports.once || command.reports.batch
        self.format = command.reports.json ? .json : command.reports.csv ? .csv : .screen
        self.count = command.reports.count
        self.size = try command.reports.size.map(Self.size)
        self.recordPath = command.recordings.record
        self.replayPath = command.recordings.replay
        self.seekSeconds = command.recordings.seek
        self.speed = command.recordings.speed
        self.isASCII = command.screen.ascii
        self.wantsMouse = !command.screen.noMouse
        let isColourful = command.screen.theme != nil || environment["NO_COLOR", default: ""].isEmpty
        self.wantsColor = !command.screen.noColor && isColourful
        self.view.theme = self.wantsColor ? resolved[KVTopSettings.theme] : .mono
        self.view.view = try command.screen.view.map(Self.view) ?? .overview
        self.view.isReadOnly = resolved[KVTopSettings.isReadOnly]
        self.view.intervalSeconds = self.intervalSeconds
        self.view.utcOffset = Self.utcOffset
    }

    private static func targets(_ settings: ResolvedSettings) -> [Target] {
        let services = settings[KVTopSettings.services]
        return services.enumerated().map { index, url in
            Target(role: .kvService, name: services.count == 1 ? "kv" : "kv\(index + 1)", url: url)
        } + settings[KVTopSettings.gateway].map { Target(role: .gateway, name: "gw", url: $0) }
    }

    private static func size(_ text: String) throws -> (columns: Int, rows: Int) {
        let parts = text.split(separator: "x").map { Int($0) }
        guard parts.count == 2, let columns = parts[0], let rows = parts[1], (1...1_000).contains(columns),
            (1...1_000).contains(rows)
        else { throw ValidationError("--size '\(text)': give columns and rows, such as 80x24") }
        return (columns, rows)
    }

    private static func view(_ name: String) throws -> ViewState.View {
        switch name {
        case "overview": return .overview
        case "kv": return .kvService
        case "gateway": return .gateway
        case "log": return .log
        case "events": return .events
        default: throw ValidationError("--view '\(name)': give overview, kv, gateway, log or events")
        }
    }

    /// Offset of the local time from UTC in seconds, at a moment in seconds since 1970.
    @Sendable private static func utcOffset(at seconds: Double) -> Double {
        guard var time = time_t(exactly: seconds.rounded(.down)) else { return 0 }
        var fields = unsafe tm()
        guard unsafe localtime_r(&time, &fields) != nil else { return 0 }
        return unsafe Double(fields.tm_gmtoff)
    }

    /// The capabilities for printed screens.
    var printCapabilities: Capabilities {
        let codeset = unsafe nl_langinfo(Int32(CODESET)).map { unsafe String(cString: $0) } ?? ""
        return Capabilities(isUTF8: !self.isASCII && codeset == "UTF-8", hasColor: self.view.theme != .mono)
    }

    /// The size of printed screens.
    var printSize: (columns: Int, rows: Int) {
        if let size = self.size { return size }
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }
}

/// What `--once` and `--batch` print.
enum ReportFormat {
    case screen, json, csv
}
