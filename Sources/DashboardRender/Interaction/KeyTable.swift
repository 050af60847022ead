/// The keys: one table for looking up keys, the help and the bar.
public struct KeyBinding: Sendable {
    enum Action: Sendable {
        case quit, help, pause, faster, slower, widerWindow, narrowerWindow, nextPanel, previousPanel
        case lineUp, lineDown, pageUp, pageDown, first, last
        case zoom, back, view(ViewState.View), sort, reverse, filter, units, pollNow, resetSession
        case snapshot, compact, theme, repaint, suspend, nextService
        case seek(seconds: Double)

        var isWiderWindow: Bool {
            if case .widerWindow = self { true } else { false }
        }
    }

    let keys: [Key]
    /// The names of the keys in the help.
    let label: String
    let help: String
    /// Key and word for the bar at the bottom, in the order of the table, as far as there is space.
    let bar: (key: String, word: String)?
    let action: Action
    /// True: only in a replay; false: only outside of a replay.
    var isForReplay: Bool?

    init(
        _ keys: [Key], _ label: String, _ help: String, bar: (key: String, word: String)? = nil, _ action: Action,
        isForReplay: Bool? = nil
    ) {
        self.keys = keys
        self.label = label
        self.help = help
        self.bar = bar
        self.action = action
        self.isForReplay = isForReplay
    }
}

public enum KeyTable {
    static let bindings: [KeyBinding] = [
        KeyBinding([.character("?"), .character("h"), .f1], "? h F1", "this help", bar: ("?", "help"), .help),
        KeyBinding([.character("q"), .control("c")], "q Ctrl-C", "quit", bar: ("q", "quit"), .quit),
        KeyBinding(
            [.character("p"), .character(" ")], "p Space", "freeze the screen; polling continues", bar: ("p", "pause"),
            .pause),
        KeyBinding(
            [.character("+"), .character("=")], "+", "poll more often (in a replay: faster)", bar: ("+/-", "interval"),
            .faster),
        KeyBinding([.character("-"), .character("_")], "-", "poll less often (in a replay: slower)", .slower),
        KeyBinding(
            [.tab], "Tab Shift-Tab", "focus the next, the previous panel", bar: ("tab", "panel"), .nextPanel),
        KeyBinding([.backTab], "", "", .previousPanel),
        KeyBinding(
            [.character("z"), .enter], "z Enter", "zoom the panel with the focus", bar: ("z", "zoom"), .zoom),
        KeyBinding([.escape], "Esc", "back: close, clear the filter, leave the zoom", .back),
        KeyBinding([.character("1")], "1", "view: overview", bar: ("1-5", "views"), .view(.overview)),
        KeyBinding([.character("2")], "2", "view: kv-service", .view(.kvService)),
        KeyBinding([.character("3")], "3", "view: gateway", .view(.gateway)),
        KeyBinding([.character("4")], "4", "view: log and compaction", .view(.log)),
        KeyBinding([.character("5")], "5", "view: events", .view(.events)),
        KeyBinding(
            [.character("c")], "c", "start a compaction (kvtop asks first)", bar: ("c", "compact"), .compact,
            isForReplay: false),
        KeyBinding([.character("s")], "s", "sort the handlers by the next column", bar: ("s", "sort"), .sort),
        KeyBinding([.character("r")], "r", "reverse the sort order", .reverse),
        KeyBinding(
            [.character("/")], "/", "filter handlers by name: text, or !text to exclude it",
            bar: ("/", "filter"), .filter),
        KeyBinding(
            [.character("[")], "[ ]", "graphs over 1, 5, 15, 60 minutes", bar: ("[ ]", "window"), .narrowerWindow),
        KeyBinding([.character("]")], "", "", .widerWindow),
        KeyBinding([.character("u")], "u", "units: SI (1k = 1000), IEC (1Ki = 1024), all digits", .units),
        KeyBinding([.up, .character("k"), .wheelUp], "Up k", "scroll up", .lineUp),
        KeyBinding([.down, .character("j"), .wheelDown], "Down j", "scroll down", .lineDown),
        KeyBinding([.pageUp], "PgUp PgDn", "scroll by a page", .pageUp),
        KeyBinding([.pageDown], "", "", .pageDown),
        KeyBinding([.character("g"), .home], "g G", "scroll to the first, to the last", .first),
        KeyBinding([.character("G"), .end], "", "", .last),
        KeyBinding([.character("n")], "n", "show the next kv-service, if there are several", .nextService),
        KeyBinding([.character("R")], "R", "poll now", .pollNow, isForReplay: false),
        KeyBinding([.character("0")], "0", "reset totals and peaks of the session", .resetSession),
        KeyBinding(
            [.character("w")], "w", "write screen and numbers to kvtop-DATE-TIME.txt and .json",
            bar: ("w", "write"), .snapshot),
        KeyBinding([.character("t")], "t", "theme: dark, light, mono, high contrast", .theme),
        KeyBinding(
            [.left], "Left Right", "in a replay: 10 seconds back, forward", bar: ("left/right", "seek"),
            .seek(seconds: -10),
            isForReplay: true),
        KeyBinding([.right], "", "", .seek(seconds: 10), isForReplay: true),
        KeyBinding(
            [.character("<"), .character(",")], "< >", "in a replay: 5 minutes back, forward", .seek(seconds: -300),
            isForReplay: true),
        KeyBinding([.character(">"), .character(".")], "", "", .seek(seconds: 300), isForReplay: true),
        KeyBinding([.control("l")], "Ctrl-L", "redraw the screen", .repaint),
        KeyBinding([.control("z")], "Ctrl-Z", "suspend; the shell's fg resumes", .suspend),
    ]

    static func binding(of key: Key, isReplay: Bool) -> KeyBinding? {
        self.bindings.first { $0.keys.contains(key) && ($0.isForReplay ?? isReplay) == isReplay }
    }

    /// The list of `--help` and of the help screen.
    public static var help: [(keys: String, text: String)] {
        self.bindings.filter { !$0.help.isEmpty }.map { ($0.label, $0.help) }
    }
}
