/// The messages of `io.prometheus.client`, by the field numbers of its `metrics.proto`.
extension ProtobufWriter {
    /// `name`, `help`, `type` and `unit` of a `MetricFamily`.
    static func familyHeader(name: [UInt8], help: String, kind: MetricKind, unit: String?) -> [UInt8] {
        var family = ProtobufWriter()
        family.add(1, name)
        family.add(2, Array(help.utf8))
        family.add(3, kind.protobufType)
        if let unit { family.add(5, Array(unit.utf8)) }
        return family.bytes
    }

    /// `label` of a `Metric`, once for each label.
    static func labelFields(_ labels: LabelSet) -> [UInt8] {
        var metric = ProtobufWriter()
        for (name, value) in zip(labels.names, labels.values) { metric.add(1, Self.label(name, value)) }
        return metric.bytes
    }

    /// `metric` of a `MetricFamily`.
    mutating func addMetric(_ metric: ProtobufWriter) {
        self.add(4, metric)
    }

    /// `gauge` of a `Metric`.
    mutating func addGauge(_ value: Double) {
        var gauge = ProtobufWriter()
        gauge.add(1, value)
        self.add(2, gauge)
    }

    /// `counter` of a `Metric`.
    mutating func addCounter(_ value: Double) {
        var counter = ProtobufWriter()
        counter.add(1, value)
        self.add(3, counter)
    }

    /// `histogram` of a `Metric`: the classic buckets, and the native ones if there are any.
    mutating func addHistogram(_ detail: HistogramDetail) {
        var histogram = ProtobufWriter()
        let counts = detail.classic.counts
        histogram.add(1, detail.classic.count)
        histogram.add(2, detail.classic.sum)
        var cumulated: UInt64 = 0
        for (index, bound) in (detail.classic.bounds + [.infinity]).enumerated() {
            cumulated &+= counts[index]
            var bucket = ProtobufWriter()
            bucket.add(1, cumulated)
            bucket.add(2, bound)
            if counts[index] > 0, let exemplar = detail.exemplars[index] { bucket.add(3, Self.message(exemplar)) }
            histogram.add(3, bucket)
        }
        if let native = detail.native {
            histogram.addNative(native)
            for (index, exemplar) in detail.exemplars.enumerated() where counts[index] > 0 {
                if let exemplar { histogram.add(16, Self.message(exemplar)) }
            }
        }
        self.add(7, histogram)
    }

    /// Schema, zero bucket, and the positive buckets: adjacent buckets as spans, and each count as the difference to
    /// the previous one.
    private mutating func addNative(_ native: NativeBuckets) {
        self.addSigned(5, Int64(BinGrid.schema))
        self.add(6, BinGrid.zeroThreshold)
        self.add(7, native.zeroCount)
        var spans: [(offset: Int, length: UInt64)] = []
        var deltas: [Int64] = []
        var next = 0
        var before: UInt64 = 0
        for (index, count) in native.buckets {
            if index == next, !spans.isEmpty {
                spans[spans.count - 1].length += 1
            } else {
                spans.append((index - next, 1))
            }
            deltas.append(Int64(bitPattern: count &- before))
            next = index + 1
            before = count
        }
        // An empty span marks the histogram as native although it is empty.
        if spans.isEmpty { spans.append((0, 0)) }
        for span in spans {
            var message = ProtobufWriter()
            message.addSigned(1, Int64(span.offset))
            message.add(2, span.length)
            self.add(12, message)
        }
        if !deltas.isEmpty { self.addPackedSigned(13, deltas) }
    }

    private static func message(_ exemplar: Exemplar) -> ProtobufWriter {
        var timestamp = ProtobufWriter()
        timestamp.add(1, exemplar.trace.atNanoseconds / 1_000_000_000)
        timestamp.add(2, exemplar.trace.atNanoseconds % 1_000_000_000)
        var message = ProtobufWriter()
        message.add(1, Self.label(Array("trace_id".utf8), exemplar.trace.traceID))
        message.add(2, exemplar.value)
        message.add(3, timestamp)
        return message
    }

    private static func label(_ name: [UInt8], _ value: [UInt8]) -> ProtobufWriter {
        var pair = ProtobufWriter()
        pair.add(1, name)
        pair.add(2, value)
        return pair
    }
}

extension MetricKind {
    fileprivate var protobufType: UInt64 {
        switch self {
        case .counter: 0
        case .gauge: 1
        case .histogram: 4
        }
    }
}
