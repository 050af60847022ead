import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite(
        "kvtop while services come and go", .enabled(if: Tmux.path != nil, "tmux is not installed"),
        .timeLimit(.minutes(10)))
    struct DashboardOutageTests {
        @Test func `starts within a second with both services down, says why, and turns up by itself`() throws {
            let folder = TemporaryFolder()
            let ports = (kv: try FreePort.find(), gateway: try FreePort.find())
            let terminal = try Tmux()
            // The fastest of a few starts: the machine may be busy.
            var quickest = Duration.seconds(60)
            for attempt in 0..<5 where quickest >= .seconds(1) {
                if attempt > 0 {
                    try terminal.type("q")
                    try terminal.wait("the shell") { $0.contains("ready>") && !$0.contains("EVENTS") }
                }
                let begin = ContinuousClock.now
                try terminal.enter(Dashboard.command(kv: ports.kv, gateway: ports.gateway))
                // In one look: the first lines of a screen reach the terminal before its last ones.
                try terminal.wait("both are down, and why") { screen in
                    screen.contains("kv DOWN") && screen.contains("gw DOWN") && screen.contains("data total       --")
                        && screen.split(separator: "\n")
                            .count { $0.contains("does not answer: connection refused") } == 2
                }
                quickest = min(quickest, ContinuousClock.now - begin)
            }
            #expect(quickest < .seconds(1))
            let kv = try Services.startKV(in: folder, listen: "127.0.0.1:\(ports.kv)")
            try kv.waitUntilReady(port: try kv.waitForPort())
            try terminal.wait("kv is up") { $0.contains("kv UP") && $0.contains("gw DOWN") }
            let gateway = try Services.startGateway(
                in: folder, upstreamPort: ports.kv, listen: "127.0.0.1:\(ports.gateway)")
            try gateway.waitUntilReady(port: try gateway.waitForPort())
            try terminal.wait("both are up") {
                $0.contains("kv UP") && $0.contains("gw UP") && $0.contains("upstream up")
            }
            try terminal.type("q")
        }

        /// Under a load of reads, so that a zero or negative rate is always wrong.
        @Test func `shows a kv-service that hangs, is killed and restarted as what it is, and answers keys`() throws {
            let services = try Services()
            let load = BackgroundLoad(port: services.kvPort)
            defer { load.stop() }
            let terminal = try Tmux()
            try terminal.enter(
                Dashboard.command(
                    kv: services.kvPort, gateway: services.gatewayPort, "--interval 500ms --record ~/recording"))
            var watch = Watch(terminal: terminal)
            try watch.until("figures") { Self.rate("kv_get", $0) != nil && $0.contains("kv UP") }

            try services.kv.child.pause()
            try watch.until("kv is stale") { $0.contains("kv STALE") }
            try watch.until("kv is down") { $0.contains("kv DOWN") && $0.contains("no longer answers: timed out") }
            try watch.answerKeys()
            try services.kv.crash()
            try watch.until("kv is down for another reason") { $0.contains(": connection refused") }
            try watch.answerKeys()
            #expect(watch.last.contains("gw UP") && Self.rate("kv_get", watch.last) == nil, "\(watch.last)")

            let again = try Services.startKV(in: services.folder, listen: "127.0.0.1:\(services.kvPort)")
            try again.waitUntilReady(port: try again.waitForPort())
            try watch.until("kv is back") { $0.contains("kv UP") && $0.contains("is back after") }
            try watch.until("kv has figures") { Self.rate("kv_get", $0) != nil }
            try watch.answerKeys()
            try terminal.type("5")
            try watch.until("the restart is told, and what the service tells of its start") {
                // Of the start before, whose events may have left the screen, the log had no end to tell of.
                $0.contains("was restarted: its counters start at 0") && $0.contains("log replayed")
                    && $0.contains("the log was not closed cleanly")
            }

            for screen in watch.screens {
                #expect(Self.rate("kv_get", screen) != "0", "a false zero:\n\(screen)")
                #expect(!screen.contains(#/ -[0-9]/#), "a negative figure:\n\(screen)")
            }
            #expect(watch.answerTimes.sorted()[watch.answerTimes.count / 2] < .milliseconds(100))
            #expect(watch.answerTimes.allSatisfy { $0 < .seconds(1) }, "\(watch.answerTimes)")
            try terminal.type("q")
            try terminal.wait("the shell") { $0.contains("ready>") }
            #expect(try again.stop() == .exited(0))
            // What was shown of it, computed anew.
            let agreement = try DashboardReference.compare([terminal.home("recording")], in: services.folder)
            #expect(agreement.contains("1 restarts"), "\(agreement)")
        }

        /// The requests per second of a handler, nil when none are shown.
        private static func rate(_ handler: String, _ screen: String) -> Substring? {
            let row = screen.split(separator: "\n").first { $0.hasPrefix(" \(handler) ") }
            let rate = row?.split(separator: " ").dropFirst().first
            return rate == "--" ? nil : rate
        }
    }
}

/// Reads a screen repeatedly and keeps everything that it saw.
private struct Watch {
    let terminal: Tmux
    var screens: Set<String> = []
    var answerTimes: [Duration] = []
    var last = ""

    init(terminal: Tmux) {
        self.terminal = terminal
    }

    mutating func until(_ what: String, _ condition: (String) -> Bool) throws {
        self.last = try self.terminal.wait(what) { screen in
            self.screens.insert(screen)
            return condition(screen)
        }
    }

    /// Opens and closes the help a few times.
    mutating func answerKeys() throws {
        for _ in 0..<5 {
            self.answerTimes.append(try self.terminal.answerTime("?") { $0.contains("this help") })
            self.answerTimes.append(try self.terminal.answerTime("Escape") { !$0.contains("this help") })
        }
    }
}

/// A few hundred reads per second, from whichever kv-service listens.
private final class BackgroundLoad: Sendable {
    private let isOver = Mutex(false)

    init(port: UInt16) {
        Threads.detach { [self] in
            var client: KeyValueClient?
            while !self.isOver.withLock({ $0 }) {
                do {
                    let connected = try client ?? KeyValueClient(port: port, through: .kvService)
                    client = connected
                    _ = try connected.get([1])
                } catch {
                    client = nil
                }
                usleep(3_000)
            }
        }
    }

    func stop() { self.isOver.withLock { $0 = true } }
}
