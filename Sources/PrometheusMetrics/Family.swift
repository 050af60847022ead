/// All series of one name, with the constant text built once.
struct Family {
    let name: [UInt8]
    private let help: String
    private let labelNames: [[UInt8]]
    private let kind: MetricKind
    /// The lines `HELP` and `TYPE`.
    private let textHeader: [UInt8]
    /// The lines `TYPE`, `UNIT` and `HELP`.
    private let openMetricsHeader: [UInt8]
    /// The fields before the metrics.
    private let protobufHeader: [UInt8]
    /// In the order of their labels.
    private var series: [Series] = []
    /// By the text of the labels.
    private var instruments: [[UInt8]: Instrument] = [:]

    init(name: [UInt8], help: String, labelNames: [[UInt8]], kind: MetricKind) {
        self.name = name
        self.help = help
        self.labelNames = labelNames
        self.kind = kind
        let unit = MetricUnit.unit(ofName: kind.openMetricsName(name))
        self.textHeader = Self.textHeader(name, help, kind)
        self.openMetricsHeader = Self.openMetricsHeader(name, help, kind, unit)
        self.protobufHeader = ProtobufWriter.familyHeader(name: name, help: help, kind: kind, unit: unit)
    }

    func accepts(help: String, labels: LabelSet, kind: MetricKind) -> Bool {
        self.help.utf8.elementsEqual(help.utf8) && self.labelNames == labels.names && self.kind == kind
    }

    /// The instrument of the series, created if the series is new.
    mutating func register(_ labels: LabelSet, make: () -> Instrument) -> Registration {
        if let known = self.instruments[labels.text] { return .made(known) }
        guard self.series.count < MetricsRegistry.seriesLimit else { return .tooMany }
        let instrument = make()
        self.instruments[labels.text] = instrument
        let index = self.series.firstIndex { labels.precedes($0.labels) } ?? self.series.count
        self.series.insert(Series(name: self.name, labels: labels, instrument: instrument), at: index)
        return .made(instrument)
    }

    mutating func removeSeries(withLabel name: [UInt8], _ value: [UInt8]) {
        guard let place = self.labelNames.firstIndex(of: name) else { return }
        for series in self.series where series.labels.values[place] == value {
            self.instruments[series.labels.text] = nil
        }
        self.series.removeAll { $0.labels.values[place] == value }
    }

    func render(_ format: ExpositionFormat, into bytes: inout [UInt8]) {
        switch format {
        case .text:
            bytes += self.textHeader
            for series in self.series { series.render(withExemplars: false, into: &bytes) }
        case .openMetrics:
            bytes += self.openMetricsHeader
            for series in self.series { series.render(withExemplars: true, into: &bytes) }
        case .protobuf:
            var message = ProtobufWriter(self.protobufHeader)
            for series in self.series { series.encode(into: &message) }
            ProtobufWriter.appendDelimited(message, to: &bytes)
        }
    }

    private static func textHeader(_ name: [UInt8], _ help: String, _ kind: MetricKind) -> [UInt8] {
        var header = Array("# HELP ".utf8) + name
        header.append(UInt8(ascii: " "))
        Escaping.appendHelp(help, to: &header)
        header += "\n# TYPE ".utf8
        header += name
        header += " \(kind.typeName)\n".utf8
        return header
    }

    private static func openMetricsHeader(
        _ name: [UInt8], _ help: String, _ kind: MetricKind, _ unit: String?
    ) -> [UInt8] {
        let family = kind.openMetricsName(name)
        var header = Array("# TYPE ".utf8) + family
        header += " \(kind.openMetricsTypeName(name))\n".utf8
        if let unit {
            header += "# UNIT ".utf8
            header += family
            header += " \(unit)\n".utf8
        }
        header += "# HELP ".utf8
        header += family
        header.append(UInt8(ascii: " "))
        Escaping.appendLabelValue(help, to: &header)
        header.append(UInt8(ascii: "\n"))
        return header
    }
}

/// The units of OpenMetrics with which names of this program end.
enum MetricUnit {
    private static let known = ["seconds", "bytes", "ratio"]

    static func unit(ofName name: [UInt8]) -> String? {
        self.known.first { name.ends(with: Array("_\($0)".utf8)) }
    }
}
