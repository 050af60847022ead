import Glibc

/// The position of a value between the bottom and the top of a graph.
struct AxisScale {
    let lowest: Double
    let highest: Double
    let isLogarithmic: Bool

    /// From 0 to the smallest value of 1, 2 or 5 times a power of ten that is not below any of `values`.
    static func linear(_ values: [Double]) -> AxisScale {
        AxisScale(lowest: 0, highest: self.ceiling(values.max() ?? 0), isLogarithmic: false)
    }

    /// Whole decades around the values, which are seconds: from 10 µs at least.
    static func decades(_ values: [Double]) -> AxisScale {
        var lowest = 1e-3
        var highest = 1e-2
        let positive = values.filter { $0 > 0 }
        if let least = positive.min(), let most = positive.max() {
            lowest = 1e-5
            while lowest * 10 <= least { lowest *= 10 }
            highest = lowest * 10
            while highest < most * 0.999_999 { highest *= 10 }
        }
        return AxisScale(lowest: lowest, highest: highest, isLogarithmic: true)
    }

    static func ceiling(_ value: Double) -> Double {
        guard value > 0, value.isFinite else { return 1 }
        var decade = 1e-6
        while decade * 10 <= value { decade *= 10 }
        for factor in [1.0, 2, 5, 10] where decade * factor >= value * 0.999_999 { return decade * factor }
        return decade * 10
    }

    /// The dot of a value, counted from 0 at the bottom.
    func height(_ value: Double, dots: Int) -> Int {
        let part: Double
        if self.isLogarithmic {
            part = value > 0 ? log10(value / self.lowest) / log10(self.highest / self.lowest) : 0
        } else {
            part = self.highest > 0 ? value / self.highest : 0
        }
        let height = (part * Double(dots)).rounded(.up) - 1
        return height.isFinite ? Int(min(max(height, 0), Double(dots - 1))) : 0
    }

    /// The label of a row of the graph; nil for rows without a mark. Rows count from the top.
    func label(row: Int, rows: Int, _ text: (Double) -> String) -> String? {
        if !self.isLogarithmic {
            if row == 0 { return text(self.highest) }
            guard rows >= 4, rows.isMultiple(of: 2), row == rows / 2 else { return nil }
            // A half that rounds to the whole would repeat the label.
            return text(self.highest / 2) == text(self.highest) ? nil : text(self.highest / 2)
        }
        var decade = self.highest
        while decade >= self.lowest * 0.999_999 {
            // The row with the dot of the decade.
            let height = decade >= self.highest * 0.999 ? rows * 4 - 1 : self.height(decade, dots: rows * 4)
            if rows - 1 - height / 4 == row { return text(decade) }
            decade /= 10
        }
        return nil
    }
}
