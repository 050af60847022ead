/// The data of the graphs: a fixed number of polls of one target; the newest replaces the oldest.
///
/// A missed poll, and the first one after a restart, have no figures: they are gaps, never zeros.
public struct History: Sendable {
    /// The figure that a line shows.
    public enum Series: Hashable, Sendable {
        /// Requests per second of one handler, between two polls.
        case handlerRate(String)
        /// Requests per second of all handlers that serve data.
        case rate
        /// Seconds, over the window of ``Figures``.
        case p50, p95, p99
        /// Server errors as a share of all requests for data, 0 to 1, over the window.
        case errorRatio
        case appendedBytesRate, syncRate, syncP99, logSize, garbageRatio
        /// Cores in use, 1 is one core.
        case cpu
        case residentBytes
    }

    /// One hour with one poll per second.
    public static let capacity = 3_600

    /// Monotonic seconds of each entry.
    private var times: [Double] = []
    private var lines: [Series: [Float]] = [:]
    /// Number of all polls so far; the index of the newest is one less, modulo the capacity.
    private var total = 0

    public init() {}

    /// Number of polls that are kept.
    public var count: Int { min(self.total, Self.capacity) }

    public var isEmpty: Bool { self.total == 0 }

    /// Records a poll. Series that are not in `values` have a gap there.
    mutating func append(time: Double, _ values: [Series: Double]) {
        let place = self.total % Self.capacity
        if self.times.count <= place { self.times.append(time) } else { self.times[place] = time }
        // A separate array: the view of the keys would keep the lines shared, and each change would copy all of them.
        for series in Array(self.lines.keys) { self.put(.nan, at: place, in: series) }
        for (series, value) in values {
            // There are at most 64 handlers, so the lines are bounded too.
            if self.lines[series] == nil {
                self.lines[series] = Array(repeating: .nan, count: min(self.total, Self.capacity - 1))
            }
            self.put(Float(value), at: place, in: series)
        }
        self.total += 1
    }

    private mutating func put(_ value: Float, at place: Int, in series: Series) {
        if self.lines[series]!.count <= place {
            self.lines[series]!.append(value)
        } else {
            self.lines[series]![place] = value
        }
    }

    /// The newest `count` polls, oldest first; nil for a gap and before the first poll.
    public func latest(_ series: Series, count: Int) -> [Double?] {
        let line = self.lines[series]
        let known = min(count, self.count)
        let gap = [Double?](repeating: nil, count: count - known)
        guard let line else { return gap + Array(repeating: nil, count: known) }
        return gap
            + (0..<known).map { index in
                let place = (self.total - known + index) % Self.capacity
                return place < line.count && !line[place].isNaN ? Double(line[place]) : nil
            }
    }

    /// The figures of a window as `columns` equal intervals, oldest first. Each is the highest value of the polls whose
    /// time, from the previous poll to this one, overlaps with it. Nil if there is none.
    ///
    /// Intervals begin at multiples of their length, so that a line moves by whole columns and keeps its shape.
    ///
    /// - Parameters:
    ///   - end: monotonic seconds, within the last interval.
    ///   - longest: maximum time that a poll covers; one poll interval, with some tolerance.
    public func columns(
        _ series: Series, end: Double, windowSeconds: Double, columns: Int, longest: Double
    ) -> [Double?] {
        var values = [Double?](repeating: nil, count: columns)
        guard columns > 0, windowSeconds > 0, let line = self.lines[series] else { return values }
        let width = windowSeconds / Double(columns)
        let first = Int((end / width).rounded(.down)) - columns + 1
        for age in 0..<self.count {
            let place = (self.total - 1 - age) % Self.capacity
            let time = self.times[place]
            guard time > Double(first) * width - longest else { break }
            guard place < line.count, !line[place].isNaN else { continue }
            let before =
                age + 1 < self.count
                ? self.times[(self.total - 2 - age) % Self.capacity] : time - longest
            let begin = max(before, time - longest)
            let to = min(columns - 1, Int((time / width).rounded(.down)) - first)
            guard to >= 0 else { break }
            let from = max(0, Int((begin / width).rounded(.down)) + 1 - first)
            let value = Double(line[place])
            for column in min(from, to)...to { values[column] = max(values[column] ?? value, value) }
        }
        return values
    }
}
