/// The labels of one series, ordered by name: the same set is the same series in any order.
struct LabelSet {
    let names: [[UInt8]]
    let values: [[UInt8]]
    /// `a="b",c="d"`, escaped; empty without labels.
    let text: [UInt8]

    /// Nil if a name is invalid or occurs twice.
    /// - Parameter forHistogram: whether `le` is reserved for the bounds.
    init?(_ labels: MetricsRegistry.Labels, forHistogram: Bool) {
        let pairs = labels.map { (name: Array($0.name.utf8), value: $0.value) }
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for (index, pair) in pairs.enumerated() {
            guard MetricName.isValidLabel(pair.name) else { return nil }
            if index > 0 && pairs[index - 1].name == pair.name { return nil }
            if forHistogram && pair.name == Array("le".utf8) { return nil }
        }
        var text: [UInt8] = []
        for (index, pair) in pairs.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            text += pair.name
            text += "=\"".utf8
            Escaping.appendLabelValue(pair.value, to: &text)
            text.append(UInt8(ascii: "\""))
        }
        self.names = pairs.map(\.name)
        self.values = pairs.map { Array($0.value.utf8) }
        self.text = text
    }

    /// Whether this set is ordered before another with the same names: by the first value that differs, as bytes.
    func precedes(_ other: LabelSet) -> Bool {
        for (own, theirs) in zip(self.values, other.values) where own != theirs {
            return own.lexicographicallyPrecedes(theirs)
        }
        return false
    }
}
