public import DashboardModel
public import DashboardRender
import Glibc
import SystemSupport

/// The thread of the screen: waits for keys, signals, messages and the clock together, and draws.
///
/// Belongs to the thread that creates it. Not Sendable.
public final class TerminalLoop {
    /// Why the loop ended.
    public enum Ending: Equatable, Sendable {
        case quit
        case signal(Int32)
        /// The terminal was closed.
        case terminalGone
    }

    /// Requests to the rest of the program; called on the loop's thread, and must not block.
    public struct Actions {
        public var command: (Command) -> Void
        /// Writes the screen and its numbers to files; returns the text to show.
        public var writeSnapshot: (Screen, Dashboard) -> String

        public init(
            command: @escaping (Command) -> Void, writeSnapshot: @escaping (Screen, Dashboard) -> String
        ) {
            self.command = command
            self.writeSnapshot = writeSnapshot
        }
    }

    /// Shown in the last line until the replay goes back.
    private static let endText = "end of the recording"

    private let terminal: Terminal
    private let mailbox: Mailbox
    private let signals: SignalDescriptor
    private let actions: Actions
    private var dashboard: Dashboard
    private var view: ViewState
    private var ending: Ending?
    private var needsDrawing = true
    /// The process was stopped, or is in the background: the terminal belongs, or belonged, to the shell.
    private var needsTerminal = false
    private var size: (columns: Int, rows: Int) = (0, 0)

    public init(
        terminal: Terminal, mailbox: Mailbox, signals: SignalDescriptor, dashboard: Dashboard, view: ViewState,
        actions: Actions
    ) {
        self.terminal = terminal
        self.mailbox = mailbox
        self.signals = signals
        self.dashboard = dashboard
        self.view = view
        self.actions = actions
    }

    /// Runs until the operator quits, a signal ends the program, or the terminal is closed.
    public func run() -> Ending {
        self.size = self.terminal.size
        while true {
            self.tick()
            let isForeground = self.terminal.isForeground
            if !isForeground { self.needsTerminal = true }
            if isForeground, self.needsTerminal { self.retake() }
            if isForeground, self.needsDrawing { self.draw() }
            if let ending = self.ending { return ending }
            self.wait(forKeys: isForeground)
        }
    }

    private func retake() {
        self.needsTerminal = false
        self.terminal.retake()
        self.size = self.terminal.size
        self.needsDrawing = true
    }

    // MARK: Waiting

    /// - Parameter forKeys: in the background, keys belong to the shell; reading one would stop the process.
    private func wait(forKeys: Bool) {
        var descriptors = [
            pollfd(fd: self.terminal.input, events: forKeys ? Int16(POLLIN) : 0, revents: 0),
            pollfd(fd: self.signals.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: self.mailbox.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        guard unsafe poll(&descriptors, nfds_t(descriptors.count), self.millisecondsToWait) >= 0 else { return }
        let tty = Int32(descriptors[0].revents)
        if tty & Int32(POLLHUP | POLLERR | POLLNVAL) != 0 {
            self.ending = .terminalGone
            return
        }
        if descriptors[1].revents != 0 { self.takeSignals() }
        if forKeys, tty & Int32(POLLIN) != 0 || self.isInputDue { self.takeKeys() }
        if descriptors[2].revents != 0 { self.takeMessages() }
    }

    /// The clock on the screen changes every second; an ESC becomes a key if nothing follows it.
    private var millisecondsToWait: Int32 {
        let nanoseconds = WallClock.nanoseconds() % 1_000_000_000
        let milliseconds = Int32((1_000_000_000 - nanoseconds) / 1_000_000) + 1
        guard let deadline = self.terminal.inputDeadline else { return milliseconds }
        return min(milliseconds, max(0, Int32((deadline - Self.monotonicSeconds) * 1_000) + 1))
    }

    private var isInputDue: Bool { self.terminal.inputDeadline.map { $0 <= Self.monotonicSeconds } ?? false }

    private static var monotonicSeconds: Double { Double(MonotonicClock.nanoseconds()) / 1e9 }

    private func tick() {
        let monotonic = Self.monotonicSeconds
        if self.view.replay != nil {
            // A replay draws when something arrives; only a message disappears after some time.
            if let message = self.view.message, let before = self.view.replayClock,
                before < message.until, monotonic >= message.until
            {
                self.needsDrawing = true
            }
            self.view.replayClock = monotonic
            return
        }
        let before = self.dashboard.wallTime
        self.dashboard.advance(
            now: monotonic,
            wallTime: Double(WallClock.nanoseconds()) / 1e9)
        if Int(before) != Int(self.dashboard.wallTime) { self.needsDrawing = true }
    }

    // MARK: Incoming messages

    private func takeSignals() {
        while let signal = self.signals.next() {
            switch signal {
            case SIGWINCH:
                self.size = self.terminal.size
                self.terminal.repaint()
                self.needsDrawing = true
            case SIGTSTP: self.suspend()
            // It was stopped by SIGSTOP, which cannot be caught.
            case SIGCONT: self.needsTerminal = true
            default:
                self.ending = .signal(signal)
                return
            }
        }
    }

    private func suspend() {
        self.terminal.suspend()
        self.needsTerminal = true
    }

    private func takeKeys() {
        while self.ending == nil, let input = self.terminal.nextInput(now: Self.monotonicSeconds) {
            switch input {
            case .end: self.ending = .terminalGone
            case .key(let key): self.take(key)
            }
        }
        self.needsDrawing = true
    }

    private func take(_ key: Key) {
        let layout = Renderer.layout(self.dashboard, self.view, columns: self.size.columns, rows: self.size.rows)
        for command in self.view.handle(key, self.dashboard, layout: layout) {
            switch command {
            case .quit: self.ending = .quit
            case .suspend: self.suspend()
            case .repaint: self.terminal.repaint()
            case .resetSession: self.dashboard.resetSession()
            case .writeSnapshot:
                let text = self.actions.writeSnapshot(self.screen, self.view.paused?.dashboard ?? self.dashboard)
                self.view.show(text, now: self.messageTime)
            case .compact(let target):
                let name = self.dashboard.targets[target].target.name
                self.view.show("requesting a compaction of \(name) ...", now: self.messageTime)
                self.actions.command(command)
            case .pollNow, .setInterval, .seek, .setReplaySpeed: self.actions.command(command)
            }
        }
    }

    private func takeMessages() {
        for message in self.mailbox.take() {
            switch message {
            case .poll(let result): self.dashboard.apply(result)
            case .outcome(let text, let level, let source):
                self.dashboard.note(
                    DashboardEvent(at: self.dashboard.wallTime, source: source, level: level, text: text))
                self.view.show("\(source) \(text)", level, now: self.messageTime, seconds: 8)
            case .replay(let position): self.view.replay?.position = position
            case .restart(let now, let wallTime):
                if self.view.message?.text == Self.endText { self.view.message = nil }
                self.dashboard = Dashboard(
                    targets: self.dashboard.targets.map(\.target), now: now, wallTime: wallTime,
                    thresholds: self.dashboard.thresholds)
            case .replayEnded: self.view.show(Self.endText, now: self.messageTime, seconds: 3_600)
            }
        }
        self.needsDrawing = true
    }

    // MARK: Drawing

    /// The clock for messages; see ``ViewState/replayClock``.
    private var messageTime: Double { self.view.replayClock ?? self.dashboard.now }

    private var screen: Screen {
        Renderer.screen(
            self.dashboard, self.view, columns: self.size.columns, rows: self.size.rows, self.capabilities)
    }

    /// The operator can choose the theme without colours; lines then look as on a terminal without colours.
    private var capabilities: Capabilities {
        var capabilities = self.terminal.capabilities
        if self.view.theme == .mono { capabilities.hasColor = false }
        return capabilities
    }

    private func draw() {
        self.needsDrawing = false
        self.terminal.show(self.screen, theme: self.view.theme)
    }
}

@available(*, unavailable)
extension TerminalLoop: Sendable {}
