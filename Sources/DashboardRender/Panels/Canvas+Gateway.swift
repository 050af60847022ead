import DashboardModel

extension Canvas {
    /// The gateway's requests to kv-service: one line if there is space only for that, else a panel. With several upstreams
    /// a line for each.
    mutating func drawUpstream(in area: Area) {
        guard let gateway = self.gateway else {
            if area.height > 2 { self.rule([Piece("UPSTREAM", .title)], in: area) }
            return
        }
        let upstreams = gateway.admin?.upstreams ?? []
        if upstreams.count > 1 { return self.draw(upstreams, of: gateway, in: area) }
        var line = 0
        let upstream = upstreams.first
        if area.height > 2 {
            self.rule([Piece("UPSTREAM", .title), Piece(" \(upstream?.name ?? "")")], in: area)
            line = 1
        }
        let begin = line
        guard let upstream else {
            self.put(gateway.admin == nil ? " upstream --" : " upstream not reported", .dim, in: area, line: line)
            return
        }
        self.drawUpstreamState(upstream, gateway.figures, in: area, line: line)
        self.drawUpstreamPool(upstream, gateway.figures, in: area, line: line + 1)
        self.drawUpstreamTimes(gateway, in: area, line: line + 2)
        self.drawLastError(of: upstream, in: area, line: line + 3)
        if gateway.isAdminStale { self.dim(area, from: begin) }
    }

    // MARK: Several

    /// In the order of the gateway; if there is no space for all, those that are lost come first.
    private mutating func draw(_ upstreams: [AdminSnapshot.Upstream], of gateway: TargetState, in area: Area) {
        let begin = area.height > 2 ? 1 : 0
        let space = area.height - begin
        let lost = upstreams.filter { $0.isUp == false }
        if begin > 0 {
            let up = " \(upstreams.count - lost.count) of \(upstreams.count) up"
            self.rule([Piece("UPSTREAMS", .title), Piece(up, lost.isEmpty ? .normal : .critical)], in: area)
        }
        let fits = upstreams.count <= space
        let shown = fits ? upstreams : Array((lost + upstreams.filter { $0.isUp != false }).prefix(max(1, space)))
        let width = min(24, upstreams.map(\.name.count).max() ?? 0)
        for (line, upstream) in shown.enumerated() {
            var pieces = self.pieces(of: upstream, nameWidth: width)
            let hidden = upstreams.count - shown.count
            if hidden > 0, line == shown.count - 1 { pieces.append(Piece("  +\(hidden) more", .dim)) }
            self.put(pieces, in: area, line: begin + line)
        }
        if fits { self.drawUpstreamTimes(gateway, in: area, line: begin + shown.count) }
        if gateway.isAdminStale { self.dim(area, from: begin) }
    }

    private func pieces(of upstream: AdminSnapshot.Upstream, nameWidth: Int) -> [Piece] {
        func padded(_ text: String, _ width: Int) -> String {
            String(text.prefix(width)) + String(repeating: " ", count: max(0, width - text.count))
        }
        let circuit = upstream.circuit.map { $0.replacing("_", with: "-") }
        let state: Piece =
            switch upstream.isUp {
            case true?: Piece(padded(upstream.isReady == false ? upstream.shownState ?? "up" : "up", 11), .good)
            case false?: Piece(padded(upstream.shownState ?? "DOWN", 11), .critical)
            case nil: Piece(padded("--", 11), .dim)
            }
        return [
            Piece(" \(padded(upstream.name, nameWidth))  "), state, Piece("  circuit "),
            Piece(
                padded(circuit ?? "--", 9), circuit == "closed" ? .normal : circuit == nil ? .dim : .warning),
            Piece(
                "  busy \(self.count(upstream.connectionsActive)) of \(self.count(upstream.connectionsLimit))"
                    + "  waiting \(self.count(upstream.requestsWaiting))"),
        ]
    }

    // MARK: One

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

    private mutating func drawUpstreamTimes(_ gateway: TargetState, in area: Area, line: Int) {
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
    }

    private mutating func drawLastError(of upstream: AdminSnapshot.Upstream, in area: Area, line: Int) {
        guard let reason = upstream.lastErrorMessage ?? upstream.lastErrorReason else {
            self.put(" last error none", .dim, in: area, line: line)
            return
        }
        let at = upstream.lastErrorAt.flatMap(InstantText.seconds).map { "\(self.time($0)) " } ?? ""
        self.put(" last error \(at)\(reason)", in: area, line: line)
    }
}
