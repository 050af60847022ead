import DashboardModel

extension Canvas {
    /// The gateway's requests to kv-service: one line if there is space only for that, else a panel.
    mutating func drawUpstream(in area: Area) {
        guard let gateway = self.gateway else {
            if area.height > 2 { self.rule([Piece("UPSTREAM", .title)], in: area) }
            return
        }
        var line = 0
        let upstream = gateway.admin?.upstreams.first
        if area.height > 2 {
            let others = max(0, (gateway.admin?.upstreams.count ?? 0) - 1)
            let notes = others > 0 ? [Piece("+\(others) more not shown", .dim)] : []
            self.rule([Piece("UPSTREAM", .title), Piece(" \(upstream?.name ?? "")")], notes: notes, in: area)
            line = 1
        }
        let begin = line
        guard let upstream else {
            self.put(gateway.admin == nil ? " upstream --" : " upstream not reported", .dim, in: area, line: line)
            return
        }
        self.drawUpstreamState(upstream, gateway.figures, in: area, line: line)
        self.drawUpstreamPool(upstream, gateway.figures, in: area, line: line + 1)
        self.drawUpstreamTimes(upstream, gateway, in: area, line: line + 2)
        if gateway.isAdminStale { self.dim(area, from: begin) }
    }

    private mutating func drawUpstreamState(
        _ upstream: AdminSnapshot.Upstream, _ figures: Figures?, in area: Area, line: Int
    ) {
        let circuit = upstream.circuit.map { $0.replacing("_", with: "-") }
        var pieces = [Piece(" upstream ")]
        switch upstream.isUp {
        case true?: pieces.append(Piece("up  ", .good))
        case false?: pieces.append(Piece("DOWN", .critical))
        case nil: pieces.append(Piece("--  ", .dim))
        }
        pieces.append(Piece("  circuit "))
        pieces.append(
            Piece(circuit ?? "--", circuit == "closed" ? .normal : circuit == nil ? .dim : .warning))
        pieces.append(
            Piece(
                "  retries \(self.rate(figures?.retryRate))/s  timeouts \(self.rate(figures?.timeoutRate))/s"
                    + "  failures \(self.rate(figures?.failureRate))/s"))
        self.put(pieces, in: area, line: line)
    }

    private mutating func drawUpstreamPool(
        _ upstream: AdminSnapshot.Upstream, _ figures: Figures?, in area: Area, line: Int
    ) {
        self.put(
            " pool     \(self.count(upstream.connectionsActive)) busy \(self.count(upstream.connectionsIdle)) idle"
                + " of \(self.count(upstream.connectionsLimit)) connections"
                + "  waiting \(self.count(upstream.requestsWaiting))"
                + "  in flight \(self.count(upstream.requestsInFlight))",
            in: area, line: line)
    }

    private mutating func drawUpstreamTimes(
        _ upstream: AdminSnapshot.Upstream, _ gateway: TargetState, in area: Area, line: Int
    ) {
        if let figures = gateway.figures {
            let lost = gateway.metrics?.lostWatches ?? 0
            self.put(
                " overhead p50 \(self.quantile(figures.overhead.quantile(0.5)))"
                    + " p99 \(self.quantile(figures.overhead.quantile(0.99)))"
                    + "  to upstream \(self.rate(figures.upstreamRate))/s"
                    + (lost > 0 ? "  watches lost \(self.count(lost))" : ""),
                in: area, line: line)
        } else {
            self.put(" overhead --", .dim, in: area, line: line)
        }
        guard let reason = upstream.lastErrorMessage ?? upstream.lastErrorReason else {
            self.put(" last error none", .dim, in: area, line: line + 1)
            return
        }
        let at = upstream.lastErrorAt.flatMap(InstantText.seconds).map { "\(self.time($0)) " } ?? ""
        self.put(" last error \(at)\(reason)", in: area, line: line + 1)
    }

    // MARK: Processes

    /// A line for each process, and one for kvtop itself.
    mutating func drawProcesses(in area: Area) {
        self.rule([Piece("PROCESS", .title)], in: area)
        for (index, target) in self.dashboard.targets.enumerated() {
            self.drawProcess(target, in: area, line: index + 1)
        }
        let polls = self.dashboard.targets.reduce(0) { $0 + $1.session.polls }
        let missed = self.dashboard.targets.reduce(0) { $0 + $1.session.missedPolls }
        let since = self.dashboard.targets.map(\.session.since).min() ?? self.dashboard.now
        self.put(
            " kvtop  watching \(Quantity.age(self.dashboard.now - since))"
                + "  polls \(Quantity.count(Double(polls)))  missed \(Quantity.count(Double(missed)))"
                + "  events \(Quantity.count(Double(self.dashboard.eventCount)))",
            .dim, in: area, line: self.dashboard.targets.count + 1)
    }

    private mutating func drawProcess(_ target: TargetState, in area: Area, line: Int) {
        let name = target.target.name
        self.put(" \(name)", in: area, line: line)
        guard let metrics = target.metrics, target.availability != .down else {
            self.put("--", .dim, in: area, line: line, at: 8)
            return
        }
        func field(_ label: String, _ value: String, _ width: Int) -> String {
            let padding = String(repeating: " ", count: max(0, width - value.count))
            return "\(label) \(padding)\(value)"
        }
        let cpu = target.figures?.cpu.map { "\(Quantity.count(($0 * 100).rounded()))%" } ?? "--"
        let descriptors = "\(self.count(metrics["process_open_fds"]))/\(self.count(metrics["process_max_fds"]))"
        let parts = [
            field("rss", self.bytes(metrics["process_resident_memory_bytes"]), 5), field("cpu", cpu, 4),
            field("threads", self.count(metrics["process_threads"]), 2),
            field("conns", self.count(metrics["http_connections"]), 4),
            field("peak", "\(self.rate(target.session.peakRate))/s", 7), field("fds", descriptors, 9),
        ]
        self.put(
            parts.joined(separator: "  "), target.areFiguresStale ? .dim : .normal, in: area, line: line, at: 8)
    }
}
