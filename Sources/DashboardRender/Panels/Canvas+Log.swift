import DashboardModel

extension Canvas {
    /// The log: its size and garbage, compaction, and with more space its writes and its disk.
    mutating func drawLog(in area: Area) {
        let target = self.kvService
        let log = target?.admin?.log
        let figures = target?.figures
        let isWide = self.dashboardIsWide
        var notes: [Piece] = []
        if let figures, let rate = figures.syncRate {
            notes.append(Piece("fsync \(self.rate(rate))/s"))
            notes.append(Piece("p50 \(self.quantile(figures.sync.quantile(0.5)))"))
            let p99 = "p99 \(self.quantile(figures.sync.quantile(0.99)))\(figures.syncLevel.mark ?? "")"
            notes.append(Piece(p99, figures.syncLevel.tone ?? .normal))
            notes.append(Piece("append \(self.bytesRate(figures.appendedBytesRate))"))
        }
        var title = [Piece("LOG", .title)]
        if let policy = log?.syncPolicy {
            let tone: Tone = policy == "always" ? .normal : .warning
            title.append(Piece("  sync \(policy)\(policy == "always" ? "" : "!")", tone))
        }
        switch log?.state {
        case "disk_full"?: title.append(Piece("  DISK FULL", .critical))
        case "failed"?: title.append(Piece("  FAILED", .critical))
        default: break
        }
        self.rule(title, notes: notes, in: area, isFocused: self.view.focusedView == .log)
        var line = 1
        self.drawSize(target, in: area, line: line)
        line += 1
        if !isWide, self.view.view == .overview {
            self.drawCompactionState(target, in: area, line: line)
            self.drawLastRun(target, in: area, line: line + 1)
            line += 2
        }
        self.drawWritePath(target, in: area, line: line)
        self.drawDisk(target, in: area, line: line + 1)
        self.drawFiles(target, in: area, line: line + 2)
        self.drawLogTrouble(target, in: area, line: line + 3)
        if target.map({ $0.isAdminStale }) ?? false { self.dim(area, from: 1) }
    }

    /// Compaction has its own panel then.
    var dashboardIsWide: Bool {
        var content = Layout.Content()
        content.hasKV = !self.dashboard.kvServices.isEmpty
        content.hasGateway = !self.dashboard.gateways.isEmpty
        return Layout.isWide(self.screen.columns, content)
    }

    mutating func dim(_ area: Area, from line: Int) {
        for row in (area.row + line)..<max(area.row + line, area.row + area.height) {
            self.tint(.dim, row: row, from: area.column, to: area.end)
        }
    }

    private mutating func drawSize(_ target: TargetState?, in area: Area, line: Int) {
        guard let size = target?.logSizeBytes else {
            self.put(" size    --", .dim, in: area, line: line)
            return
        }
        let segments = target?.admin?.log?.segmentCount
        let count = segments.map { ", \($0) segment\($0 == 1 ? "" : "s")" } ?? ""
        var column = self.put(" size    \(self.bytes(size))\(count)", in: area, line: line)
        guard let ratio = target?.garbageRatio else {
            self.put("   live and garbage not reported", .dim, in: area, line: line, at: column)
            return
        }
        let live = target?.logLiveBytes ?? size * (1 - ratio)
        let level = target?.garbageLevel ?? .none
        let end = "garbage \(self.bytes(max(0, size - live))) \(Quantity.percent(ratio))%\(level.mark ?? " ")"
        column = self.put("  live \(self.bytes(live)) ", in: area, line: line, at: column)
        let width = area.width - column - self.width(end) - 3
        if width >= 8 {
            column = self.bar(1 - ratio, .good, width: width, in: area, line: line, at: column)
        }
        self.putRight(end, level.tone ?? .normal, in: area, line: line, end: area.width - 1)
    }

    private mutating func drawWritePath(_ target: TargetState?, in area: Area, line: Int) {
        guard let figures = target?.figures else {
            self.put(" write   --", .dim, in: area, line: line)
            return
        }
        let batch = figures.transactionsPerCommit.map { Quantity.rate($0) } ?? "-"
        self.put(
            " write   \(self.rate(figures.appendsRate)) appends/s  \(batch) per commit"
                + "  commit p50 \(self.quantile(figures.commit.quantile(0.5)))"
                + " p99 \(self.quantile(figures.commit.quantile(0.99)))",
            in: area, line: line)
    }

    private mutating func drawDisk(_ target: TargetState?, in area: Area, line: Int) {
        guard let log = target?.admin?.log else {
            self.put(" disk    --", .dim, in: area, line: line)
            return
        }
        var text = " disk    "
        if let free = log.fileSystemAvailableBytes, let size = log.fileSystemBytes {
            text += "\(self.bytes(free)) free of \(self.bytes(size))\(target?.diskLevel.mark.map { " \($0)" } ?? "")"
        } else {
            text += "space not reported"
        }
        if let pending = log.pendingAppends { text += "  waiting writes \(self.count(pending))" }
        if let path = log.path { text += "  \(path)" }
        self.put(text, target?.diskLevel.tone ?? .normal, in: area, line: line)
    }

    /// The snapshot: its size, its newest change, and its age.
    private mutating func drawFiles(_ target: TargetState?, in area: Area, line: Int) {
        guard let log = target?.admin?.log else {
            self.put(" files   --", .dim, in: area, line: line)
            return
        }
        guard let snapshot = log.snapshot, let parts = snapshot.parts else {
            self.put(" files   snapshot not reported", .dim, in: area, line: line)
            return
        }
        guard parts > 0 else {
            self.put(" files   no snapshot yet: a compaction creates one", in: area, line: line)
            return
        }
        var text = " files   snapshot \(self.bytes(snapshot.sizeBytes)) in \(self.count(parts)) part"
        text += parts == 1 ? "" : "s"
        if let revision = snapshot.revision { text += "  to revision \(self.count(revision))" }
        // The time is known only for snapshots that were created since the service started.
        if let admin = target?.admin, let at = admin.compaction?.lastSuccessAt.flatMap(InstantText.seconds) {
            // By the clock of the service, which may be on another machine.
            text += "  \(Quantity.age((admin.now ?? self.dashboard.wallTime) - at)) old"
        }
        let live = "  live \(self.bytes(snapshot.liveBytes))"
        if self.width(text) + self.width(live) < area.width { text += live }
        self.put(text, in: area, line: line)
    }

    /// The log's warning, its last error, or failing checks; nothing otherwise.
    private mutating func drawLogTrouble(_ target: TargetState?, in area: Area, line: Int) {
        guard let admin = target?.admin else { return }
        if let error = admin.log?.lastError {
            self.put(" error   \(error)", .critical, in: area, line: line)
        } else if let check = admin.checks.first(where: { !$0.isOK }) {
            self.put(
                " check   \(check.name) fails: \(check.message ?? "no reason given")", .critical, in: area, line: line)
        } else if let warning = admin.log?.warning {
            self.put(" warning \(warning)", .warning, in: area, line: line)
        } else {
            let checks = admin.checks.count
            let text = checks == 0 ? "none reported" : "\(checks) of \(checks) ok"
            self.put(" checks  \(text)", .dim, in: area, line: line)
        }
    }
}
