import DashboardModel

extension Canvas {
    /// The first line: which targets answer, the number of alarms and the names of the worst, whether the screen is
    /// live, the poll interval, the windows of figures and graphs, and the time.
    mutating func drawStatusLine(liveNow: Double) {
        let line = Area(row: 0, column: 0, width: self.screen.columns, height: 1)
        var notes = self.statusNotes(liveNow: liveNow)
        var notesWidth: Int { notes.reduce(0) { $0 + self.width($1.piece.text) + 2 } }
        let conditions = self.conditionPieces
        var named = min(2, conditions.count)
        var namedWidth: Int { conditions.prefix(named).reduce(0) { $0 + self.width($1.text) } }
        // The least important parts are omitted first: addresses, round trips, then notes; the second condition goes
        // before the time.
        var detail = StatusDetail.addresses
        while self.statusWidth(detail) + namedWidth + notesWidth > line.width {
            if let less = detail.less {
                detail = less
            } else if notes.count > 1, let least = notes.indices.min(by: { notes[$0].rank < notes[$1].rank }),
                named < 2 || notes[least].rank < Self.timeRank
            {
                notes.remove(at: least)
            } else if named > 1 {
                named = 1
            } else {
                break
            }
        }
        var column = max(0, line.width - notesWidth + 1)
        var pieces = self.statusPieces(detail)
        let room = max(0, column - 2)
        pieces += self.alarmPieces(conditions, room: room - pieces.reduce(0) { $0 + self.width($1.text) })
        self.put(pieces, in: Area(row: 0, column: 0, width: room, height: 1), line: 0)
        for note in notes { column = self.put(note.piece.text, note.piece.tone, in: line, line: 0, at: column) + 2 }
    }

    /// `: kv disk full`, `, read-only`: the name of a service is shown once for consecutive conditions.
    private var conditionPieces: [Piece] {
        var before: String?
        return self.dashboard.conditions.map { service, condition in
            let name = service == before ? "" : "\(service) "
            defer { before = service }
            return Piece("\(before == nil ? ":" : ",") \(name)\(condition.text)", condition.level.tone ?? .warning)
        }
    }

    /// The number of alarms, and the names of as many conditions as fit. The first one is cut rather than omitted,
    /// unless nothing of it would be readable.
    private func alarmPieces(_ conditions: [Piece], room: Int) -> [Piece] {
        let alarms = self.dashboard.alarmCount
        guard alarms > 0 else { return [] }
        var pieces = [Piece(" \(alarms) alarm\(alarms == 1 ? "" : "s")", conditions.first?.tone ?? .warning)]
        var used = self.width(pieces[0].text)
        for (index, condition) in conditions.enumerated() {
            let width = self.width(condition.text)
            guard used + width <= room || (index == 0 && used + 15 <= room) else { break }
            pieces.append(condition)
            used += width
        }
        return pieces
    }

    /// The maximum width of the left part over all states and times: the layout must not change with them.
    private func statusWidth(_ detail: StatusDetail) -> Int {
        let targets = self.dashboard.targets.reduce(0) { total, target in
            let address = detail == .addresses ? 1 + self.width(target.target.address) : 0
            return total + self.width(target.target.name) + address + (detail == .states ? 8 : 12)
        }
        return (self.screen.columns < 60 ? 0 : 7) + targets + 10
    }

    private enum StatusDetail {
        case addresses, roundTrips, states

        var less: StatusDetail? {
            switch self {
            case .addresses: .roundTrips
            case .roundTrips: .states
            case .states: nil
            }
        }
    }

    private func statusPieces(_ detail: StatusDetail) -> [Piece] {
        var pieces = self.screen.columns < 60 ? [] : [Piece(" kvtop ", .title)]
        for target in self.dashboard.targets {
            let address = detail == .addresses ? " \(target.target.address)" : ""
            pieces.append(Piece(" \(target.target.name)\(address) "))
            switch target.availability {
            case .up:
                pieces.append(Piece("UP", .good))
                if detail != .states, let seconds = target.roundTripSeconds {
                    pieces.append(Piece(" \(Quantity.duration(seconds))", .dim))
                }
            case .connecting: pieces.append(Piece("...", .dim))
            case .stale: pieces.append(Piece("STALE", .warning))
            case .down: pieces.append(Piece("DOWN", .critical))
            }
            pieces.append(Piece(" "))
        }
        return pieces
    }

    /// A text on the right of the first line. If there is not enough space, those of the lowest rank are omitted first.
    private struct StatusNote {
        var piece: Piece
        var rank: Int
    }

    private static let timeRank = 4

    private func statusNotes(liveNow: Double) -> [StatusNote] {
        var notes: [StatusNote] = []
        func add(_ text: String, _ tone: Tone, rank: Int) {
            notes.append(StatusNote(piece: Piece(text, tone), rank: rank))
        }
        if let replay = self.view.replay {
            let position = "\(Quantity.age(replay.position))/\(Quantity.age(replay.duration))"
            add("REPLAY \(position) x\(Self.plain(replay.speed))", .accent, rank: 6)
            if replay.isPaused { add("PAUSED", .selected, rank: 5) }
        }
        if let paused = self.view.paused {
            add("PAUSED \(Quantity.age(liveNow - paused.since))", .selected, rank: 6)
        } else if self.view.replay == nil {
            add("LIVE", .good, rank: 6)
            add("every \(Self.plain(self.view.intervalSeconds))s", .normal, rank: 1)
        }
        // A setting of kvtop, which starts no actions then; a read-only service is an alarm.
        if self.view.isReadOnly { add("watch only", .dim, rank: 2) }
        let window = self.kvService?.figures?.windowSeconds ?? self.gateway?.figures?.windowSeconds
        add("figures \(window.map(Quantity.window) ?? "--")", .dim, rank: 3)
        if self.screen.columns >= 100 {
            add("graphs \(Quantity.window(self.view.graphWindowSeconds))", .dim, rank: 0)
        }
        add(self.time(self.dashboard.wallTime), .normal, rank: Self.timeRank)
        return notes
    }

    /// `0.25`, `1`: without a decimal part of zero.
    static func plain(_ number: Double) -> String {
        let text = "\(number)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// The last line: the edited filter, a message, or the keys.
    mutating func drawKeyBar(now: Double) {
        let line = Area(row: self.screen.rows - 1, column: 0, width: self.screen.columns, height: 1)
        if self.view.isEditingFilter {
            let column = self.put(" filter handlers: \(self.view.filter)", .accent, in: line, line: 0)
            self.put("_   Enter: keep, Esc: clear", .dim, in: line, line: 0, at: column)
            return
        }
        if let message = self.view.message, message.until > now {
            self.put(" \(message.text)", message.level.tone, in: line, line: 0)
            return
        }
        var column = 1
        if !self.view.filter.isEmpty {
            column = self.put("filter \(self.view.filter)  ", .accent, in: line, line: 0, at: column)
        }
        for binding in KeyTable.bindings {
            guard let bar = binding.bar, (binding.isForReplay ?? (self.view.replay != nil)) == (self.view.replay != nil)
            else { continue }
            guard column + self.width(bar.key) + 1 + self.width(bar.word) <= line.width else { break }
            column = self.put(bar.key, .accent, in: line, line: 0, at: column)
            column = self.put(" \(bar.word)", .dim, in: line, line: 0, at: column) + 2
        }
    }

    // MARK: Boxes over the panels

    /// The keys, built from the table of keys, in as many columns as fit.
    mutating func drawHelp() {
        let entries = KeyTable.help
        let keyWidth = (entries.map { $0.keys.count }.max() ?? 0) + 2
        let width = min(self.screen.columns - 4, 78)
        let height = min(self.screen.rows - 2, entries.count + 11)
        let inside = self.box("keys", width: width, height: height)
        let legend = [
            "! is a warning, X is critical; default limits: err% 1 and 5, p99 100 and",
            "500 ms, fsync p99 10 and 50 ms, garbage 30 and 50 %, disk 80 and 95 %",
            "-- unknown, - no requests, >10.0s above the highest bucket",
            "data total: all kv_... or api_... handlers, without probes and scrapes",
            "rates, err% and quantiles cover the window that line 1 shows",
            "a dim figure is old: the newest poll did not return it",
        ]
        var lines: [(String, String)] = entries.map { ($0.keys, $0.text) }
        lines.append(("", ""))
        lines += legend.map { ("", $0) }
        let first = min(self.view.scroll, max(0, lines.count - inside.height))
        for (index, entry) in lines.dropFirst(first).prefix(inside.height).enumerated() {
            if entry.0.isEmpty {
                self.put(entry.1, .dim, in: inside, line: index)
            } else {
                self.put(entry.0, .accent, in: inside, line: index)
                self.put(entry.1, in: inside, line: index, at: keyWidth)
            }
        }
        if first + inside.height < lines.count {
            let more = " Down: \(lines.count - first - inside.height) more "
            self.putRight(
                more, .selected,
                in: Area(row: inside.row + inside.height, column: inside.column, width: inside.width, height: 1),
                line: 0, end: inside.width)
        }
    }

    mutating func draw(_ dialog: ViewState.Dialog) {
        guard case .compact(let index) = dialog, self.dashboard.targets.indices.contains(index) else { return }
        let target = self.dashboard.targets[index].target
        let inside = self.box("compact", width: min(self.screen.columns - 4, 62), height: 8)
        self.put("Start a compaction of \(target.name)?", .title, in: inside, line: 0)
        self.put("POST \(target.url)/admin/compact", in: inside, line: 2)
        self.put("It reads the log and writes its live records again.", .dim, in: inside, line: 3)
        let column = self.put("[y]", .accent, in: inside, line: 5)
        let next = self.put(" yes     ", in: inside, line: 5, at: column)
        self.put("[N]", .accent, in: inside, line: 5, at: next)
        self.put(" no (also Enter, Esc)", in: inside, line: 5, at: next + 3)
    }

    /// Draws an empty box in the middle of the screen; returns its inside.
    private mutating func box(_ title: String, width: Int, height: Int) -> Area {
        let width = max(4, width)
        let height = max(3, min(height, self.screen.rows - 2))
        let area = Area(
            row: (self.screen.rows - height) / 2, column: (self.screen.columns - width) / 2, width: width,
            height: height)
        for line in 0..<height { self.fill(" ", .normal, in: area, line: line, from: 0, to: width) }
        self.fill(self.glyphs.rule, .selected, in: area, line: 0, from: 0, to: width)
        self.fill(self.glyphs.rule, .selected, in: area, line: height - 1, from: 0, to: width)
        for line in 1..<(height - 1) {
            self.put("│", .selected, in: area, line: line, at: 0)
            self.put("│", .selected, in: area, line: line, at: width - 1)
        }
        let corners = self.glyphs.isUTF8 ? ["┌", "┐", "└", "┘"] : ["+", "+", "+", "+"]
        self.put(corners[0], .selected, in: area, line: 0, at: 0)
        self.put(corners[1], .selected, in: area, line: 0, at: width - 1)
        self.put(corners[2], .selected, in: area, line: height - 1, at: 0)
        self.put(corners[3], .selected, in: area, line: height - 1, at: width - 1)
        self.put(" \(title) ", .selected, in: area, line: 0, at: 2)
        return Area(row: area.row + 1, column: area.column + 2, width: width - 4, height: height - 2)
    }
}
