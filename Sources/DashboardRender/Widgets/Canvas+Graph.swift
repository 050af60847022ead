import DashboardModel

/// One line of a graph.
struct GraphLine {
    let series: History.Series
    let name: String
    let tone: Tone
    /// The character of the line without braille.
    let mark: Unicode.Scalar
}

/// The content of a graph.
struct Graph {
    var title: String
    /// Omitted if there is not enough space.
    var explanation: String?
    var lines: [GraphLine]
    /// Log scale for durations; otherwise from 0, with the area below the line filled.
    var isLogarithmic = false
    var text: (Double) -> String
}

extension Canvas {
    /// Width of a note in a rule with its spaces, such as that of the highest value.
    private static let noteWidth = 20
    /// The longest time that a poll takes with a short interval, with some tolerance.
    private static let longestPollSeconds = 2.25
    /// Width of the labels beside the axis.
    private static let labelWidth = 7

    /// A panel with a graph of the history of a target: its rule, the plot with the axis on the left, and the times
    /// below. A missed poll is a gap.
    mutating func graph(_ graph: Graph, of target: TargetState?, in area: Area) {
        var lines = graph.lines
        // Without colours, crossing lines cannot be distinguished: only the last one, the highest quantile, is shown.
        if !self.capabilities.hasColor, self.capabilities.isUTF8, lines.count > 1 { lines = [lines[lines.count - 1]] }
        let plot = Area(
            row: area.row + 1, column: area.column + Self.labelWidth + 1, width: area.width - Self.labelWidth - 1,
            height: area.height - 2)
        guard plot.width >= 8, plot.height >= 2 else { return }
        let perCell = self.capabilities.isUTF8 ? 2 : 1
        let window = self.view.graphWindowSeconds
        // A poll may take longer than an interval; a cancelled one has its own entry.
        let longest = max(self.view.intervalSeconds * 1.5, Self.longestPollSeconds)
        let values = lines.map { line in
            target?.history.columns(
                line.series, end: self.dashboard.now, windowSeconds: window, columns: plot.width * perCell,
                longest: longest) ?? []
        }
        let known = values.flatMap { $0.compactMap { $0 } }
        let scale = graph.isLogarithmic ? AxisScale.decades(known) : AxisScale.linear(known)
        let note = known.max().map { Piece("max \(graph.text($0))", .dim) } ?? Piece("no data yet", .dim)
        self.rule(self.title(of: graph, lines, in: area), notes: [note], in: area)
        self.axis(scale, in: area, plotHeight: plot.height, windowSeconds: window, graph.text)
        if self.capabilities.isUTF8 {
            self.drawDots(lines, values, scale, in: plot)
        } else {
            self.drawMarks(lines, values, scale, in: plot)
        }
    }

    /// With the explanation if there is space for it and for a note beside it.
    private func title(of graph: Graph, _ lines: [GraphLine], in area: Area) -> [Piece] {
        var title = [Piece(graph.title, .title)]
        if lines.count > 1 || graph.isLogarithmic {
            title += lines.map { Piece(" \($0.name)", self.capabilities.hasColor ? $0.tone : .normal) }
        }
        guard let explanation = graph.explanation else { return title }
        let width = title.reduce(0) { $0 + self.width($1.text) } + self.width(explanation) + 1
        if width + Self.noteWidth <= area.width { title.append(Piece(" \(explanation)", .dim)) }
        return title
    }

    private mutating func axis(
        _ scale: AxisScale, in area: Area, plotHeight: Int, windowSeconds: Double, _ text: (Double) -> String
    ) {
        for row in 0..<plotHeight {
            let label = scale.label(row: row, rows: plotHeight, text)
            if let label { self.putRight(label, .dim, in: area, line: row + 1, end: Self.labelWidth) }
            let glyph = label == nil ? self.glyphs.axis : self.glyphs.axisTick
            self.set(Cell(glyph, .frame), row: area.row + row + 1, column: area.column + Self.labelWidth)
        }
        let line = area.height - 1
        let start = Self.labelWidth
        self.fill(self.glyphs.axisLine, .frame, in: area, line: line, from: start, to: area.width)
        self.set(Cell(self.glyphs.axisCorner, .frame), row: area.row + line, column: area.column + start)
        let middle = start + (area.width - start) / 2
        self.put(" -\(Quantity.window(windowSeconds)) ", .dim, in: area, line: line, at: start + 1)
        if area.width >= 40 {
            self.put(" -\(Quantity.window(windowSeconds / 2)) ", .dim, in: area, line: line, at: middle - 3)
        }
        self.putRight(" now", .dim, in: area, line: line, end: area.width)
    }

    private mutating func drawDots(
        _ lines: [GraphLine], _ values: [[Double?]], _ scale: AxisScale, in plot: Area
    ) {
        var dots = Braille(columns: plot.width, rows: plot.height)
        for (line, columns) in zip(lines, values) {
            var last: Int?
            for (column, value) in columns.enumerated() {
                let height = value.map { scale.height($0, dots: dots.dotRows) }
                if let height {
                    // A filled area, or a line through its points.
                    let from = scale.isLogarithmic ? min(last ?? height, height) : 0
                    let to = scale.isLogarithmic ? max(last ?? height, height) : height
                    for dot in from...to { dots.set(column, height: dot, line.tone) }
                }
                last = height
            }
        }
        for row in 0..<plot.height {
            for column in 0..<plot.width {
                guard let cell = dots.cell(row: row, column: column) else { continue }
                self.set(cell, row: plot.row + row, column: plot.column + column)
            }
        }
    }

    private mutating func drawMarks(
        _ lines: [GraphLine], _ values: [[Double?]], _ scale: AxisScale, in plot: Area
    ) {
        for (line, columns) in zip(lines, values) {
            for (column, value) in columns.enumerated() {
                guard let value else { continue }
                // Two steps per row: a full one, and the lower half.
                let height = scale.height(value, dots: plot.height * 2)
                let top = plot.height - 1 - height / 2
                for row in top..<(scale.isLogarithmic ? top + 1 : plot.height) {
                    let isHalf = !scale.isLogarithmic && row == top && height % 2 == 0
                    let mark: Unicode.Scalar = isHalf ? "." : line.mark
                    self.set(Cell(mark, line.tone), row: plot.row + row, column: plot.column + column)
                }
            }
        }
    }
}
