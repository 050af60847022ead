import ArgumentParser
import DashboardModel
import DashboardPolling
import DashboardRender
import Glibc
import ServiceSettings
import SystemSupport

/// The settings from the command line, the environment and the configuration file.
struct Settings {
    var targets: [Target]
    var intervalSeconds: Double
    var token: String?
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

    init(_ command: KVTop) throws {
        let file = try command.sources.config.map { try ConfigurationFile(path: $0) } ?? ConfigurationFile()
        func environment(_ name: String) -> String? {
            unsafe getenv(name).map { unsafe String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
        }
        let services =
            command.sources.kv.isEmpty
            ? environment("KVTOP_KV")?.split(separator: ",").map(String.init) ?? file.kvServices ?? [
                "http://127.0.0.1:8081"
            ]
            : command.sources.kv
        let gateway = command.sources.gateway ?? environment("KVTOP_GATEWAY") ?? file.gateway ?? "http://127.0.0.1:8080"
        self.targets = try Self.targets(services, gateway)
        let interval = command.sources.interval ?? environment("KVTOP_INTERVAL") ?? file.interval ?? "1s"
        self.intervalSeconds = try Self.interval(interval)
        self.token = try (command.sources.adminTokenFile ?? environment("KVTOP_ADMIN_TOKEN_FILE") ?? file.tokenFile)
            .map(TokenFile.read)
        self.thresholds = file.thresholds
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
        let theme = command.screen.theme ?? environment("KVTOP_THEME") ?? file.theme
        self.wantsColor = !command.screen.noColor && (command.screen.theme != nil || environment("NO_COLOR") == nil)
        self.view.theme = try theme.map(Self.theme) ?? .dark
        self.view.view = try command.screen.view.map(Self.view) ?? .overview
        self.view.isReadOnly = command.sources.readOnly || file.isReadOnly
        self.view.intervalSeconds = self.intervalSeconds
        self.view.utcOffset = Self.utcOffset
        if !self.wantsColor { self.view.theme = .mono }
    }

    private static func targets(_ services: [String], _ gateway: String) throws -> [Target] {
        let urls = services.filter { $0 != "none" }
        var targets: [Target] = []
        for (index, text) in urls.enumerated() {
            let name = urls.count == 1 ? "kv" : "kv\(index + 1)"
            targets.append(Target(role: .kvService, name: name, url: try self.url(text)))
        }
        if gateway != "none" { targets.append(Target(role: .gateway, name: "gw", url: try self.url(gateway))) }
        guard !targets.isEmpty else { throw ValidationError("there is nothing to watch: give --kv or --gateway") }
        guard targets.count <= 16 else { throw ValidationError("kvtop watches at most 16 services") }
        return targets
    }

    private static func url(_ text: String) throws -> String {
        var url = text.contains("://") ? text : "http://\(text)"
        while url.hasSuffix("/") { url.removeLast() }
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? ""
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !rest.isEmpty,
            rest.unicodeScalars.allSatisfy({ $0.isASCII && $0.value > 0x20 })
        else { throw ValidationError("'\(text)' is not a URL of a service such as http://127.0.0.1:8081") }
        return url
    }

    private static func interval(_ text: String) throws -> Double {
        var seconds: Double?
        if text.hasSuffix("ms") {
            seconds = Double(text.dropLast(2)).map { $0 / 1_000 }
        } else if text.hasSuffix("s") {
            seconds = Double(text.dropLast())
        } else {
            seconds = Double(text)
        }
        guard let seconds, seconds >= 0.25, seconds <= 10 else {
            throw ValidationError("--interval '\(text)': give 250ms to 10s")
        }
        return seconds
    }

    private static func size(_ text: String) throws -> (columns: Int, rows: Int) {
        let parts = text.split(separator: "x").map { Int($0) }
        guard parts.count == 2, let columns = parts[0], let rows = parts[1], (1...1_000).contains(columns),
            (1...1_000).contains(rows)
        else { throw ValidationError("--size '\(text)': give columns and rows, such as 80x24") }
        return (columns, rows)
    }

    private static func theme(_ name: String) throws -> ViewState.Theme {
        guard let theme = ViewState.Theme(rawValue: name) else {
            let names = ViewState.Theme.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--theme '\(name)': give one of \(names)")
        }
        return theme
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

/// The file with the bearer token for actions.
enum TokenFile {
    static func read(path: String) throws -> String {
        let text = String(decoding: try SmallFile.read(path), as: UTF8.self)
        let token = text.filter { $0 != "\n" && $0 != "\r" && $0 != "\r\n" }
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ValidationError("\(path): a token is one line of printable ASCII characters")
        }
        return token
    }
}

/// Files of at most 64 KiB, which may be pipes.
enum SmallFile {
    static func read(_ path: String) throws -> [UInt8] {
        do { return try OperatorFile.read(path, limitBytes: 65_536) } catch {
            throw ValidationError("\(path) \(error)")
        }
    }
}
