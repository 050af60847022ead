import DashboardModel

extension Canvas {
    /// Compaction in its own panel.
    mutating func drawCompaction(in area: Area) {
        let target = self.kvService
        let compaction = target?.admin?.compaction
        var notes: [Piece] = []
        if let runs = compaction?.runs { notes.append(Piece("runs \(self.count(runs))")) }
        if let failures = compaction?.failures {
            notes.append(Piece("failed \(self.count(failures))", failures > 0 ? .warning : .normal))
        }
        self.rule([Piece("COMPACTION", .title)], notes: notes, in: area)
        self.drawCompactionState(target, in: area, line: 1)
        self.drawLastRun(target, in: area, line: 2)
        self.drawNextTrigger(target, in: area, line: 3)
        self.drawKeys(of: compaction, in: area, line: 4)
        if target.map({ $0.isAdminStale }) ?? false { self.dim(area, from: 1) }
    }

    mutating func drawCompactionState(_ target: TargetState?, in area: Area, line: Int) {
        guard let admin = target?.admin else {
            self.put(" compact --", .dim, in: area, line: line)
            return
        }
        guard let compaction = admin.compaction else {
            self.put(" compact not reported by this kv-service", .dim, in: area, line: line)
            return
        }
        guard compaction.isRunning == true else {
            let state = compaction.state ?? (compaction.isRunning == nil ? "state not reported" : "idle")
            let failures = compaction.consecutiveFailures ?? 0
            let tone: Tone = state == "backing_off" || state == "blocked" || failures > 0 ? .warning : .normal
            let column = self.put(
                [Piece(" compact "), Piece(state.replacing("_", with: " "), tone)], in: area, line: line)
            if state == "backing_off" || failures > 0 {
                let short = "   \(self.count(failures)) failed"
                var text = "\(short) in a row"
                if let at = compaction.retryAt.flatMap(InstantText.seconds) {
                    text += ", no automatic run before \(self.time(at))"
                }
                let hasRoom = column + self.width(text) <= area.width
                self.put(hasRoom ? text : short, .warning, in: area, line: line, at: column)
            } else if let reason = compaction.blockedBy {
                self.put("   blocked by \(reason)", .warning, in: area, line: line, at: column)
            } else if self.view.view == .overview, !self.dashboardIsWide {
                let next = [true, false].map { "   next \(self.nextTrigger(of: compaction, target, withNow: $0))" }
                if let text = next.first(where: { column + self.width($0) <= area.width }) {
                    self.put(text, .dim, in: area, line: line, at: column)
                }
            }
            return
        }
        let phase = compaction.phase ?? "running"
        var column = self.put(" compact ", in: area, line: line)
        // A field of fixed width, so that the bar does not move when the phase changes.
        self.put(
            phase, .accent,
            in: Area(
                row: area.row, column: area.column, width: min(area.width, column + 10),
                height: area.height), line: line, at: column)
        column += 11
        var end = compaction.progress.map { "\(Quantity.wholePercent($0))" } ?? "--%"
        end = String(repeating: " ", count: max(0, 4 - end.count)) + end
        end += "  eta \(compaction.etaSeconds.map { Quantity.age($0) } ?? "--")"
        if area.width < 60 {
            self.put(end, in: area, line: line, at: column)
            return
        }
        end += "  read \(self.padded(self.bytes(compaction.bytesRead)))"
        end += " written \(self.padded(self.bytes(compaction.bytesWritten)))"
        let width = area.width - column - 48
        if width >= 8 {
            column = self.bar(compaction.progress ?? 0, .accent, width: width, in: area, line: line, at: column)
        }
        self.put(" \(end)", in: area, line: line, at: column)
    }

    /// Right-aligned in five characters.
    private func padded(_ text: String) -> String {
        String(repeating: " ", count: max(0, 5 - text.count)) + text
    }

    mutating func drawLastRun(_ target: TargetState?, in area: Area, line: Int) {
        guard let compaction = target?.admin?.compaction else {
            self.put(target?.admin == nil ? " last    --" : " last    run not reported", .dim, in: area, line: line)
            return
        }
        guard let run = compaction.last else {
            self.put(" last    no run yet\(self.snapshotNote(target, in: area))", .dim, in: area, line: line)
            return
        }
        var text = ""
        if let at = run.startedAt.flatMap(InstantText.seconds) { text += "\(self.time(at)) " }
        let result = run.result ?? "result not reported"
        var column = self.put(" last    \(text)", in: area, line: line)
        column = self.put(result, run.isOK ? .good : .critical, in: area, line: line, at: column)
        text = ""
        if let seconds = run.durationSeconds { text += " in \(Quantity.duration(seconds))" }
        if let freed = run.freedBytes { text += "  \(Compaction.Run.freedText(freed, self.view.units))" }
        if area.width >= 100 || self.dashboardIsWide, let before = run.bytesBefore, let after = run.bytesAfter {
            text += " (\(self.bytes(before)) to \(self.bytes(after)))"
        }
        let snapshot = run.isOK ? self.snapshotNote(target, in: area) : ""
        text += snapshot
        if snapshot.isEmpty, let trigger = run.trigger { text += "  trigger \(trigger)" }
        if let error = run.error { text += "  \(error)" }
        if self.view.view == .overview, !self.dashboardIsWide {
            if let runs = compaction.runs { text += "  runs \(self.count(runs))" }
            if let failures = compaction.failures { text += " failed \(self.count(failures))" }
        }
        self.put(text, in: area, line: line, at: column)
    }

    /// The snapshot of a run, if the panel of the log has no line for it.
    private func snapshotNote(_ target: TargetState?, in area: Area) -> String {
        guard self.view.view == .overview, !self.dashboardIsWide, area.height <= 4,
            let snapshot = target?.admin?.log?.snapshot,
            let parts = snapshot.parts, parts > 0
        else { return "" }
        return "  snapshot \(self.bytes(snapshot.sizeBytes))"
    }

    /// What the current or last run did with keys, and how long it was throttled.
    private mutating func drawKeys(of compaction: Compaction?, in area: Area, line: Int) {
        let isRunning = compaction?.isRunning == true
        guard let compaction, isRunning || compaction.last != nil else { return }
        let run = compaction.last
        var text = " keys    kept \(self.count((isRunning ? compaction.keysKept : run?.keysKept)))"
        if !isRunning, let dropped = run?.keysDropped { text += "  dropped \(self.count(dropped))" }
        if let seconds = isRunning ? compaction.throttledSeconds : run?.throttledSeconds {
            text += "  throttled \(Quantity.duration(seconds))"
        }
        self.put(text, in: area, line: line)
    }

    private mutating func drawNextTrigger(_ target: TargetState?, in area: Area, line: Int) {
        guard let compaction = target?.admin?.compaction else {
            self.put(target?.admin == nil ? " next    --" : " next    run not reported", .dim, in: area, line: line)
            return
        }
        self.put(" next    \(self.nextTrigger(of: compaction, target))", in: area, line: line)
    }

    /// What starts the next run, and how near the log is to that.
    private func nextTrigger(of compaction: Compaction, _ target: TargetState?, withNow: Bool = true) -> String {
        if let text = compaction.nextTrigger { return text }
        guard let threshold = compaction.thresholdRatio else { return "trigger not reported" }
        var text = "at garbage \(Quantity.wholePercent(threshold))"
        if let bytes = compaction.minimumBytes { text += " and size \(self.bytes(bytes))" }
        if withNow, let ratio = target?.garbageRatio {
            let size = compaction.minimumBytes == nil ? "" : " of \(self.bytes(target?.logSizeBytes))"
            text += " (now \(Quantity.percent(ratio))%\(size))"
        }
        return text
    }

    /// The segments of the log, the newest first, each with a bar of its live share.
    mutating func drawSegments(in area: Area) {
        let target = self.kvService
        let segments = Array((target?.admin?.log?.segments ?? []).reversed())
        let rows = max(0, area.height - 2)
        let first = min(self.view.scroll, max(0, segments.count - rows))
        let shown = segments.dropFirst(first).prefix(rows)
        let all = target?.admin?.log?.segmentCount ?? segments.count
        let note = segments.isEmpty ? "none reported" : "\(first + 1)-\(first + shown.count) of \(all), newest first"
        self.rule([Piece("SEGMENTS", .title)], notes: [Piece(note)], in: area)
        self.put(" segment                                size   state   live", .dim, in: area, line: 1)
        for (index, segment) in shown.enumerated() {
            let line = index + 2
            self.put(
                " \(segment.name)",
                in: Area(
                    row: area.row, column: area.column, width: min(area.width, 38),
                    height: area.height), line: line)
            self.putRight(self.bytes(segment.sizeBytes), in: area, line: line, end: 44)
            let state = segment.isSealed.map { $0 ? "sealed" : "active" } ?? "--"
            self.put(state, segment.isSealed == false ? .accent : .normal, in: area, line: line, at: 47)
            guard let live = segment.liveBytes, let size = segment.sizeBytes, size > 0 else {
                self.put("not reported", .dim, in: area, line: line, at: 55)
                continue
            }
            self.putRight(self.bytes(live), in: area, line: line, end: 61)
            let end = self.bar(live / size, .good, width: min(40, area.width - 69), in: area, line: line, at: 62)
            self.put(" \(Quantity.wholePercent(live / size))", in: area, line: line, at: end)
        }
    }
}
