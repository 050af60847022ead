import DashboardModel

/// A rectangle of the screen.
public struct Area: Sendable, Equatable {
    public var row: Int
    public var column: Int
    public var width: Int
    var height: Int

    public init(row: Int, column: Int, width: Int, height: Int) {
        self.row = row
        self.column = column
        self.width = width
        self.height = height
    }

    var end: Int { self.column + self.width }

    /// The area from this line down.
    func from(line: Int) -> Area {
        Area(row: self.row + line, column: self.column, width: self.width, height: max(0, self.height - line))
    }

    func contains(row: Int, column: Int) -> Bool {
        row >= self.row && row < self.row + self.height && column >= self.column && column < self.end
    }
}

/// A text with its tone, as part of a line.
struct Piece: Sendable {
    var text: String
    var tone: Tone

    init(_ text: String, _ tone: Tone = .normal) {
        self.text = text
        self.tone = tone
    }
}

/// A screen while it is drawn, with the state that all of its parts need.
struct Canvas {
    private(set) var screen: Screen
    let dashboard: Dashboard
    let view: ViewState
    let capabilities: Capabilities
    let glyphs: GlyphSet

    init(_ dashboard: Dashboard, _ view: ViewState, columns: Int, rows: Int, _ capabilities: Capabilities) {
        self.screen = Screen(columns: columns, rows: rows)
        self.dashboard = dashboard
        self.view = view
        self.capabilities = capabilities
        self.glyphs = .of(capabilities)
    }

    // MARK: Lines

    /// Puts text into a line of an area, from the left; text that is too long is cut and marked.
    @discardableResult
    mutating func put(_ text: String, _ tone: Tone = .normal, in area: Area, line: Int, at column: Int = 0) -> Int {
        guard line >= 0, line < area.height else { return column }
        var text = self.glyphs.text(text)
        let room = area.width - column
        var width = Screen.width(text)
        if width > room, room > 1 {
            text = Screen.prefix(text, columns: room - 1) + self.glyphs.cut
            width = room
        }
        self.screen.put(text, tone, row: area.row + line, column: area.column + column, end: area.end)
        return column + width
    }

    /// Puts parts one after another, without space between them.
    @discardableResult
    mutating func put(_ spans: [Piece], in area: Area, line: Int, at column: Int = 0) -> Int {
        var place = column
        for span in spans where place < area.width {
            place = self.put(span.text, span.tone, in: area, line: line, at: place)
        }
        return place
    }

    /// Puts text so that it ends before column `end`.
    mutating func putRight(_ text: String, _ tone: Tone = .normal, in area: Area, line: Int, end: Int) {
        let width = self.width(text)
        self.put(text, tone, in: area, line: line, at: max(0, end - width))
    }

    mutating func fill(_ scalar: Unicode.Scalar, _ tone: Tone, in area: Area, line: Int, from: Int, to: Int) {
        guard line >= 0, line < area.height else { return }
        self.screen.fill(
            scalar, tone, row: area.row + line, from: area.column + max(0, from), to: min(area.column + to, area.end))
    }

    mutating func set(_ cell: Cell, row: Int, column: Int) {
        guard row >= 0, row < self.screen.rows, column >= 0, column < self.screen.columns else { return }
        self.screen[row, column] = cell
    }

    mutating func tint(_ tone: Tone, row: Int, from: Int, to: Int) {
        self.screen.tint(tone, row: row, from: from, to: to)
    }

    func width(_ text: String) -> Int { Screen.width(self.glyphs.text(text)) }

    // MARK: Texts that depend on the view

    func bytes(_ bytes: Double?) -> String { bytes.map { Quantity.bytes($0, self.view.units) } ?? "--" }

    func rate(_ rate: Double?) -> String { rate.map { Quantity.rate($0, self.view.units) } ?? "--" }

    func count(_ count: Double?) -> String { count.map { Quantity.count($0, self.view.units) } ?? "--" }

    func bytesRate(_ rate: Double?) -> String { rate.map { "\(Quantity.bytes($0, self.view.units))/s" } ?? "--" }

    /// A quantile: `-` without observations, `<1.00µs` below the lowest bound, `>10.0s` above the highest.
    func quantile(_ estimate: QuantileEstimate) -> String {
        switch estimate {
        case .none: "-"
        case .value(let seconds): Quantity.duration(seconds)
        case .below(let bound): "<\(Quantity.duration(bound))"
        case .above(let bound): ">\(Quantity.duration(bound))"
        }
    }

    /// A time of day, `14:03:22`, in the view's time zone; for times more than a day away the date, `21 Nov`.
    func time(_ wallTime: Double) -> String {
        let local = wallTime + self.view.utcOffset(wallTime)
        let isNear = abs(wallTime - self.dashboard.wallTime) < 86_400
        return isNear ? ClockText.timeOfDay(local) : ClockText.date(local)
    }
}
