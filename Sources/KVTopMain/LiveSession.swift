import DashboardModel
import DashboardPolling
import DashboardRender
import DashboardTerminal
import Glibc
import SystemSupport

/// The live screen.
struct LiveSession {
    let settings: Settings

    init(_ settings: Settings) {
        self.settings = settings
    }

    func run() throws {
        let settings = self.settings
        let recorder = try settings.recordPath.map { path in
            try Recorder.open(path, settings)
        }
        let mailbox = Mailbox()
        let poller = try ServicePoller(
            targets: settings.targets, intervalSeconds: settings.intervalSeconds, token: settings.token,
            certificates: settings.certificates
        ) { poll in
            if let recorder, recorder.append(poll) == .failedNow, let failure = recorder.failure {
                mailbox.post(.outcome(text: "recording ended: \(failure)", level: .error, source: "kvtop"))
            }
            mailbox.post(.poll(PollResult(reading: poll)))
        }
        let dashboard = Dashboard(
            targets: settings.targets, now: Double(MonotonicClock.nanoseconds()) / 1e9,
            wallTime: Double(WallClock.nanoseconds()) / 1e9, thresholds: settings.thresholds)
        let actions = TerminalLoop.Actions(
            command: { Self.perform($0, poller, mailbox, settings.targets) }, writeSnapshot: SnapshotFiles.write)
        let ending: TerminalLoop.Ending
        do {
            defer { poller.stop() }
            ending = try ScreenSession(settings).run(mailbox, dashboard, actions) { poller.start() }
        }
        if let recorder {
            recorder.close()
            if recorder.failure != nil { Recorder.tell(recorder) }
        }
        ScreenSession.exit(ending)
        if recorder?.failure != nil { throw ProgramExit.inputOutput }
    }

    private static func perform(
        _ command: Command, _ poller: ServicePoller, _ mailbox: Mailbox, _ targets: [Target]
    ) {
        switch command {
        case .pollNow: poller.pollNow()
        case .setInterval(let seconds): poller.setInterval(seconds: seconds)
        case .compact(let index):
            Task {
                let outcome = await poller.compact(target: index)
                mailbox.post(.outcome(text: outcome.text, level: outcome.level, source: targets[index].name))
                poller.pollNow()
            }
        default: break
        }
    }
}

/// Initialises the terminal, runs the loop and restores the terminal.
struct ScreenSession {
    let settings: Settings

    init(_ settings: Settings) {
        self.settings = settings
    }

    func run(
        _ mailbox: Mailbox, _ dashboard: Dashboard, _ actions: TerminalLoop.Actions, start: () -> Void
    ) throws -> TerminalLoop.Ending {
        let terminal: Terminal
        do {
            terminal = try Terminal(
                wantsUTF8: self.settings.isASCII ? false : nil, wantsColor: self.settings.wantsColor,
                wantsMouse: self.settings.wantsMouse, theme: self.settings.view.theme)
        } catch {
            StandardStream.tell("kvtop: \(error)\n")
            throw ProgramExit.unavailable
        }
        terminal.installCrashGuard()
        let errors = ErrorCapture()
        let loop = TerminalLoop(
            terminal: terminal, mailbox: mailbox, signals: SignalDescriptor(), dashboard: dashboard,
            view: self.settings.view, actions: actions)
        start()
        let ending = loop.run()
        terminal.close()
        errors?.end()
        return ending
    }

    /// Ends the process if the loop ended without a command of the operator.
    static func exit(_ ending: TerminalLoop.Ending) {
        switch ending {
        case .quit: break
        case .terminalGone: Glibc.exit(128 + SIGHUP)
        case .signal(let number): Glibc.exit(128 + number)
        }
    }
}

enum Recorder {
    /// - Throws: ``ProgramExit/inputOutput`` after printing the reason.
    static func open(_ path: String, _ settings: Settings) throws -> RecordingWriter {
        do {
            return try RecordingWriter(
                path: path,
                header: RecordingHeader(
                    targets: settings.targets, intervalSeconds: settings.intervalSeconds,
                    startedAt: Double(WallClock.nanoseconds()) / 1e9))
        } catch {
            StandardStream.tell("kvtop: \(error)\n")
            throw ProgramExit.inputOutput
        }
    }

    /// Prints why the recording ended early.
    static func tell(_ recorder: RecordingWriter) {
        StandardStream.tell("kvtop: the recording ended: \(recorder.failure ?? "it could not be written")\n")
    }

    /// - Throws: ``ProgramExit/inputOutput`` if not everything was written; an error that appears only now is printed.
    static func close(_ recorder: RecordingWriter) throws(ProgramExit) {
        let wasTold = recorder.failure != nil
        recorder.close()
        guard recorder.failure != nil else { return }
        if !wasTold { self.tell(recorder) }
        throw .inputOutput
    }
}
