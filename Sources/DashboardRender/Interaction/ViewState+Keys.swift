public import DashboardModel

extension ViewState {
    /// Handles a key.
    ///
    /// - Parameters:
    ///   - layout: the panels on the screen, for clicks.
    /// - Returns: what the loop must do.
    public mutating func handle(_ key: Key, _ dashboard: Dashboard, layout: Layout) -> [Command] {
        if self.isEditingFilter, self.editFilter(key) { return [] }
        if let dialog = self.dialog { return self.answer(dialog, key, dashboard) }
        if case .click(let row, let column) = key {
            self.click(row: row, column: column, layout)
            return []
        }
        guard let binding = KeyTable.binding(of: key, isReplay: self.replay != nil) else { return [] }
        if self.isHelpShown {
            switch binding.action {
            case .quit, .repaint, .suspend, .lineUp, .lineDown, .pageUp, .pageDown: break
            default:
                self.isHelpShown = false
                self.scroll = 0
                return []
            }
        }
        if !self.isHelpShown { self.scroll = min(self.scroll, self.scrollLimit(dashboard, layout)) }
        return self.perform(binding.action, dashboard)
    }

    /// Maximum scroll position of the list in the panel with the focus.
    private func scrollLimit(_ dashboard: Dashboard, _ layout: Layout) -> Int {
        func limit(_ kind: Layout.Kind, _ count: Int, rules: Int) -> Int {
            let height = layout.panels.first { $0.kind == kind }?.area.height ?? 0
            return max(0, count - max(0, height - rules))
        }
        switch self.focusedView {
        case .events: return limit(.events, dashboard.events.count, rules: 1)
        case .log:
            let target = Canvas.target(in: dashboard.kvServices, self.kvIndex)
            return limit(.segments, target?.admin?.log?.segments.count ?? 0, rules: 2)
        default: return 0
        }
    }

    private mutating func perform(_ action: KeyBinding.Action, _ dashboard: Dashboard) -> [Command] {
        switch action {
        case .quit: return [.quit]
        case .suspend: return [.suspend]
        case .repaint: return [.repaint]
        case .pollNow: return [.pollNow]
        case .snapshot: return [.writeSnapshot]
        case .resetSession:
            self.show("totals and peaks are reset", now: self.messageTime(dashboard))
            return [.resetSession]
        case .pause: return self.pause(dashboard)
        case .faster: return self.changeSpeed(1)
        case .slower: return self.changeSpeed(-1)
        case .seek(let seconds): return [.seek(seconds: seconds)]
        case .compact: self.askForCompaction(dashboard)
        default: self.changeView(action, dashboard)
        }
        return []
    }

    private mutating func changeView(_ action: KeyBinding.Action, _ dashboard: Dashboard) {
        switch action {
        case .help:
            self.isHelpShown = true
            self.scroll = 0
        case .view(let view): self.go(to: view)
        case .zoom: self.go(to: self.view == .overview ? self.focus : .overview)
        case .back:
            if !self.filter.isEmpty { self.filter = "" } else { self.go(to: .overview) }
        case .nextPanel: self.moveFocus(1, dashboard)
        case .previousPanel: self.moveFocus(-1, dashboard)
        case .lineUp: self.scroll = max(0, self.scroll - 1)
        case .lineDown: self.scroll += 1
        case .pageUp: self.scroll = max(0, self.scroll - 10)
        case .pageDown: self.scroll += 10
        case .first: self.scroll = 0
        case .last: self.scroll = .max / 2
        case .filter: self.isEditingFilter = true
        case .nextService:
            let count = dashboard.kvServices.count
            if count > 1 { self.kvIndex = (self.kvIndex + 1) % count }
        default: self.changeLook(action, dashboard)
        }
    }

    /// Each such key shows its choice as a message: on a small screen most choices are not visible otherwise.
    private mutating func changeLook(_ action: KeyBinding.Action, _ dashboard: Dashboard) {
        let text: String
        switch action {
        case .sort:
            self.sort = Self.next(self.sort, in: SortColumn.allCases)
            text = self.orderText
        case .reverse:
            self.isReversed.toggle()
            text = self.orderText
        case .units:
            self.units = Self.next(self.units, in: Quantity.Units.allCases)
            text = "units: \(self.units.label)"
        case .theme:
            self.theme = Self.next(self.theme, in: Theme.allCases)
            text = "theme: \(self.theme.rawValue)"
        case .widerWindow, .narrowerWindow:
            let step = action.isWiderWindow ? 1 : -1
            self.graphWindowSeconds = Self.step(self.graphWindowSeconds, step, in: Self.graphWindows)
            text = "graphs over \(Quantity.window(self.graphWindowSeconds))"
        default: return
        }
        self.show(text, now: self.messageTime(dashboard), seconds: 3)
    }

    private var orderText: String {
        let column = self.sort == .standard ? "in the default order" : "by \(self.sort.label)"
        return "handlers \(column)\(self.isReversed ? ", reversed" : "")"
    }

    private mutating func go(to view: View) {
        self.view = view
        if view != .overview { self.focus = view }
        self.scroll = 0
    }

    private mutating func moveFocus(_ step: Int, _ dashboard: Dashboard) {
        let panels = [View.kvService, .log, .gateway, .events]
        let index = (panels.firstIndex(of: self.focus) ?? 0) + step + panels.count
        self.focus = panels[index % panels.count]
        self.scroll = 0
        if self.view != .overview { self.view = self.focus }
    }

    /// A live screen is frozen while polling continues; a replay pauses, so that the operator can seek in it.
    private mutating func pause(_ dashboard: Dashboard) -> [Command] {
        guard let replay = self.replay else {
            self.togglePause(dashboard)
            return []
        }
        self.replay?.isPaused.toggle()
        return [.setReplaySpeed(replay.isPaused ? replay.speed : 0)]
    }

    private mutating func changeSpeed(_ step: Int) -> [Command] {
        if let replay = self.replay {
            let speed = Self.step(replay.speed, step, in: Self.replaySpeeds)
            self.replay?.speed = speed
            return replay.isPaused ? [] : [.setReplaySpeed(speed)]
        }
        // A shorter interval is faster.
        self.intervalSeconds = Self.step(self.intervalSeconds, -step, in: Self.intervals)
        return [.setInterval(seconds: self.intervalSeconds)]
    }

    // MARK: The filter

    /// Returns whether the key was for the edited line.
    private mutating func editFilter(_ key: Key) -> Bool {
        switch key {
        case .enter: self.isEditingFilter = false
        case .escape:
            self.isEditingFilter = false
            self.filter = ""
        case .backspace, .control("h"): if !self.filter.isEmpty { self.filter.removeLast() }
        case .character(let scalar) where scalar.value >= 0x20 && scalar.value != 0x7F,
            .pasted(let scalar) where scalar.value != 0x7F:
            if self.filter.unicodeScalars.count < 32 { self.filter.unicodeScalars.append(scalar) }
        case .character("\u{7F}"): if !self.filter.isEmpty { self.filter.removeLast() }
        default: return false
        }
        return true
    }

    // MARK: The compaction

    private mutating func askForCompaction(_ dashboard: Dashboard) {
        let services = dashboard.targets.indices.filter { dashboard.targets[$0].target.role == .kvService }
        guard !services.isEmpty else {
            self.show("there is no kv-service to compact", .warning, now: self.messageTime(dashboard))
            return
        }
        if self.isReadOnly {
            self.show(
                "kvtop runs with --read-only and starts no compaction", .warning, now: self.messageTime(dashboard))
            return
        }
        self.dialog = .compact(target: services[min(self.kvIndex, services.count - 1)])
    }

    /// Only `y` confirms. Enter cancels: it is pressed too easily.
    private mutating func answer(_ dialog: Dialog, _ key: Key, _ dashboard: Dashboard) -> [Command] {
        switch key {
        case .character("y"), .character("Y"):
            self.dialog = nil
            switch dialog {
            case .compact(let target): return [.compact(target: target)]
            }
        case .control("c"): return [.quit]
        case .character("n"), .character("N"), .enter, .escape, .character("q"):
            self.dialog = nil
            self.show("nothing was started", now: self.messageTime(dashboard), seconds: 3)
        default: break
        }
        return []
    }

    // MARK: The mouse

    private mutating func click(row: Int, column: Int, _ layout: Layout) {
        if self.isHelpShown {
            self.isHelpShown = false
            return
        }
        guard self.view == .overview,
            let panel = layout.panels.first(where: { $0.area.contains(row: row, column: column) }),
            let view = panel.kind.view
        else { return }
        // A second click on the panel with the focus zooms it.
        if self.focus == view { self.go(to: view) } else { self.focus = view }
    }

    // MARK: Lists of choices

    private static func next<Choice: Equatable>(_ choice: Choice, in choices: [Choice]) -> Choice {
        let index = choices.firstIndex(of: choice) ?? 0
        return choices[(index + 1) % choices.count]
    }

    /// The next value of a list; at its end the value itself.
    private static func step(_ value: Double, _ step: Int, in choices: [Double]) -> Double {
        let nearest = choices.indices.min { abs(choices[$0] - value) < abs(choices[$1] - value) } ?? 0
        return choices[min(max(nearest + step, 0), choices.count - 1)]
    }
}
