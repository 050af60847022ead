/// One series: the beginnings of its lines, made once, and where its value comes from.
struct Series {
    let labels: LabelSet
    private let instrument: Instrument
    /// `name{labels} ` for each line. A histogram has one for each bucket, then `_sum` and `_count`.
    private let prefixes: [[UInt8]]

    init(name: [UInt8], labels: LabelSet, instrument: Instrument) {
        self.labels = labels
        self.instrument = instrument
        func prefix(_ suffix: String, le: String? = nil) -> [UInt8] {
            var text = name
            text += suffix.utf8
            let le = le.map { "le=\"\($0)\"" }
            let inner = [labels.text, le.map { Array($0.utf8) } ?? []].filter { !$0.isEmpty }
            if !inner.isEmpty {
                text += "{".utf8
                text += inner.joined(separator: ",".utf8)
                text += "}".utf8
            }
            text += " ".utf8
            return text
        }
        if case .histogram(let histogram) = instrument {
            self.prefixes =
                histogram.bounds.map { prefix("_bucket", le: SampleValue.text($0)) }
                + [prefix("_bucket", le: "+Inf"), prefix("_sum"), prefix("_count")]
        } else {
            self.prefixes = [prefix("")]
        }
    }

    func render(into text: inout [UInt8]) {
        switch self.instrument {
        case .counter(let counter):
            self.line(0, counter.value, into: &text)
        case .gauge(let gauge):
            self.line(0, gauge.value, into: &text)
        case .read(let read):
            self.line(0, read(), into: &text)
        case .histogram(let histogram):
            let snapshot = histogram.snapshot()
            var cumulated: UInt64 = 0
            for (index, count) in snapshot.counts.enumerated() {
                cumulated &+= count
                self.line(index, cumulated, into: &text)
            }
            self.line(snapshot.counts.count, snapshot.sum, into: &text)
            self.line(snapshot.counts.count + 1, cumulated, into: &text)
        }
    }

    private func line(_ index: Int, _ value: UInt64, into text: inout [UInt8]) {
        text += self.prefixes[index]
        SampleValue.append(value, to: &text)
        text.append(UInt8(ascii: "\n"))
    }

    private func line(_ index: Int, _ value: Double, into text: inout [UInt8]) {
        text += self.prefixes[index]
        SampleValue.append(value, to: &text)
        text.append(UInt8(ascii: "\n"))
    }
}
