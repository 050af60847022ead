/// One series: the beginnings of its lines, built once, and the source of its value.
struct Series {
    let labels: LabelSet
    private let instrument: Instrument
    /// `name{labels} ` for each line. A histogram has one for each bucket, then `_sum` and `_count`.
    private let prefixes: [[UInt8]]
    /// The labels as fields of a `Metric` message.
    private let labelFields: [UInt8]

    init(name: [UInt8], labels: LabelSet, instrument: Instrument) {
        self.labels = labels
        self.instrument = instrument
        self.labelFields = ProtobufWriter.labelFields(labels)
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
                histogram.bounds.map { prefix("_bucket", le: SampleValue.boundText($0)) }
                + [prefix("_bucket", le: "+Inf"), prefix("_sum"), prefix("_count")]
        } else {
            self.prefixes = [prefix("")]
        }
    }

    /// Appends the lines of both text formats, which differ only in the exemplars.
    func render(withExemplars: Bool, into text: inout [UInt8]) {
        switch self.instrument {
        case .counter(let counter):
            self.line(0, counter.value, into: &text)
        case .gauge(let gauge):
            self.line(0, gauge.value, into: &text)
        case .read(_, let read):
            self.line(0, read(), into: &text)
        case .histogram(let histogram):
            let snapshot = histogram.snapshot()
            let exemplars = withExemplars ? histogram.exemplarsByBucket() : []
            var cumulated: UInt64 = 0
            for (index, count) in snapshot.counts.enumerated() {
                cumulated &+= count
                // An exemplar whose observation is not counted yet would be in an empty bucket.
                let exemplar = withExemplars && count > 0 ? exemplars[index] : nil
                self.line(index, cumulated, exemplar: exemplar, into: &text)
            }
            self.line(snapshot.counts.count, snapshot.sum, into: &text)
            self.line(snapshot.counts.count + 1, cumulated, into: &text)
        }
    }

    /// Appends the series as a field of its family's message.
    func encode(into family: inout ProtobufWriter) {
        var metric = ProtobufWriter(self.labelFields)
        switch self.instrument {
        case .counter(let counter): metric.addCounter(Double(counter.value))
        case .gauge(let gauge): metric.addGauge(gauge.value)
        case .read(isCounter: true, let read): metric.addCounter(read())
        case .read(isCounter: false, let read): metric.addGauge(read())
        case .histogram(let histogram): metric.addHistogram(histogram.detail())
        }
        family.addMetric(metric)
    }

    private func line(_ index: Int, _ value: UInt64, exemplar: Exemplar? = nil, into text: inout [UInt8]) {
        text += self.prefixes[index]
        SampleValue.append(value, to: &text)
        if let exemplar { Self.append(exemplar, to: &text) }
        text.append(UInt8(ascii: "\n"))
    }

    private func line(_ index: Int, _ value: Double, into text: inout [UInt8]) {
        text += self.prefixes[index]
        SampleValue.append(value, to: &text)
        text.append(UInt8(ascii: "\n"))
    }

    private static func append(_ exemplar: Exemplar, to text: inout [UInt8]) {
        text += " # {trace_id=\"".utf8
        text += exemplar.trace.traceID
        text += "\"} ".utf8
        SampleValue.append(exemplar.value, to: &text)
        text.append(UInt8(ascii: " "))
        SampleValue.append(Double(exemplar.trace.atNanoseconds / 1_000_000) / 1e3, to: &text)
    }
}
