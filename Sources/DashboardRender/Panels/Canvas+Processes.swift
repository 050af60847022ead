import DashboardModel

extension Canvas {
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
