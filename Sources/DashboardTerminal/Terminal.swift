import CTerminal
public import DashboardRender
import Glibc

/// The terminal, through ncurses.
///
/// Belongs to the thread that creates it: ncurses is not thread-safe. Not Sendable.
public final class Terminal {
    let capabilities: Capabilities
    private var shown: Screen?
    private var theme: ViewState.Theme = .dark
    private var palette: Palette
    private var sequences = KeySequences()
    /// The terminal's file descriptor for keys.
    let input: Int32

    /// Initialises the terminal.
    ///
    /// - Parameters:
    ///   - wantsUTF8: nil: decide by the locale.
    /// - Throws: why the terminal cannot be used; it is unchanged then.
    public init(wantsUTF8: Bool?, wantsColor: Bool, wantsMouse: Bool, theme: ViewState.Theme) throws(TerminalError) {
        guard isatty(STDOUT_FILENO) == 1 else {
            throw TerminalError("standard output is not a terminal; use --once or --batch")
        }
        // Keys come from the terminal even if standard input is a pipe.
        self.input = isatty(STDIN_FILENO) == 1 ? STDIN_FILENO : unsafe open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard self.input >= 0 else {
            throw TerminalError("there is no terminal to read keys from; use --once or --batch")
        }
        let isUTF8 = ct_use_locale(1) == 1
        var message = [CChar](repeating: 0, count: 256)
        let result = unsafe ct_open(
            self.input, STDOUT_FILENO, wantsColor ? 1 : 0, wantsMouse ? 1 : 0, &message, message.count)
        guard result == 0 else {
            let text = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw TerminalError("\(text); use --once or --batch")
        }
        let colors = Int(ct_colors())
        self.capabilities = Capabilities(isUTF8: wantsUTF8 ?? isUTF8, hasColor: wantsColor && colors >= 8)
        self.theme = theme
        self.palette = Palette(theme: theme, colors: colors)
    }

    /// Sets the locale of the process for output without a screen; see `ct_use_locale`.
    public static func useLocale() { _ = ct_use_locale(0) }

    /// Restores the terminal; may be called repeatedly. In the background of a shell it restores only the screen: the
    /// modes belong to the shell then.
    public func close() {
        ct_close(self.isForeground ? 1 : 0)
    }

    /// From now on, a crash of the process restores the terminal first.
    public func installCrashGuard() {
        ct_install_crash_guard()
    }

    /// Current number of columns and rows.
    public var size: (columns: Int, rows: Int) {
        var rows: Int32 = 0
        var columns: Int32 = 0
        unsafe ct_measure(&rows, &columns)
        return (Int(columns), Int(rows))
    }

    /// Shows a screen: draws the differences from the previous one.
    public func show(_ screen: Screen, theme: ViewState.Theme) {
        if theme != self.theme {
            self.theme = theme
            self.palette = Palette(theme: theme, colors: Int(ct_colors()))
            self.shown = nil
        }
        for run in screen.runs(over: self.shown) {
            let cells = run.cells.map { self.palette.cell($0) }
            unsafe ct_put(Int32(run.row), Int32(run.column), cells, Int32(cells.count))
        }
        ct_flush()
        self.shown = screen
    }

    /// Draws the next screen completely, whatever the terminal shows.
    func repaint() {
        self.shown = nil
        ct_repaint()
    }

    /// Whether this process owns keys and output: not while it runs in the background of a shell.
    var isForeground: Bool {
        let group = tcgetpgrp(self.input)
        // A terminal that is not the controlling terminal has no foreground.
        return group < 0 || group == getpgrp()
    }

    /// Restores the terminal for the shell and stops the process. Call ``retake()`` after it continues.
    func suspend() {
        ct_suspend()
        // Not SIGTSTP, which is blocked and read from a descriptor.
        kill(getpid(), SIGSTOP)
    }

    /// Initialises the terminal again after the process was stopped by itself or by a signal: meanwhile a shell has set
    /// its own modes and written to the screen. In the foreground only.
    func retake() {
        ct_retake()
        self.shown = nil
    }

    /// Input since the last call.
    public enum Input: Sendable {
        case key(Key)
        /// The terminal was closed.
        case end
    }

    /// When ``nextInput(now:)`` has input although no key was pressed, in monotonic seconds.
    var inputDeadline: Double? { self.sequences.deadline }

    /// - Parameter now: monotonic seconds.
    func nextInput(now: Double) -> Input? {
        if let key = self.sequences.expire(now: now) { return .key(key) }
        var event = ct_event()
        while true {
            unsafe ct_next_event(&event)
            switch Int(event.kind) {
            case Int(CT_EVENT_NONE): return nil
            case Int(CT_EVENT_END): return .end
            default:
                if let input = Self.input(event), let key = self.sequences.take(input, now: now) { return .key(key) }
            }
        }
    }

    private static func input(_ event: ct_event) -> KeySequences.Input? {
        guard Int(event.kind) == Int(CT_EVENT_CHARACTER) else { return .known(self.key(event)) }
        return Unicode.Scalar(UInt32(bitPattern: event.code)).map { .scalar($0) }
    }

    private static func key(_ event: ct_event) -> Key? {
        switch Int(event.kind) {
        case Int(CT_EVENT_MOUSE):
            switch Int(event.code) {
            case Int(CT_MOUSE_CLICK): .click(row: Int(event.row), column: Int(event.column))
            case Int(CT_MOUSE_WHEEL_UP): .wheelUp
            case Int(CT_MOUSE_WHEEL_DOWN): .wheelDown
            default: nil
            }
        default: self.named[Int(event.code)]
        }
    }

    private static let named: [Int: Key] = [
        Int(CT_KEY_UP): .up, Int(CT_KEY_DOWN): .down, Int(CT_KEY_LEFT): .left, Int(CT_KEY_RIGHT): .right,
        Int(CT_KEY_PAGE_UP): .pageUp, Int(CT_KEY_PAGE_DOWN): .pageDown, Int(CT_KEY_HOME): .home,
        Int(CT_KEY_END): .end, Int(CT_KEY_BACK_TAB): .backTab, Int(CT_KEY_BACKSPACE): .backspace,
        Int(CT_KEY_ENTER): .enter, Int(CT_KEY_F1): .f1,
    ]
}

@available(*, unavailable)
extension Terminal: Sendable {}
