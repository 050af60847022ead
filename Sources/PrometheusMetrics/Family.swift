/// All series of one name, with the text that doesn't change made once.
struct Family {
    let name: [UInt8]
    private let help: String
    private let labelNames: [[UInt8]]
    private let kind: MetricKind
    /// The lines `HELP` and `TYPE`.
    private let header: [UInt8]
    /// In the order of their labels.
    private var series: [Series] = []
    /// By the text of the labels.
    private var instruments: [[UInt8]: Instrument] = [:]

    init(name: [UInt8], help: String, labelNames: [[UInt8]], kind: MetricKind) {
        self.name = name
        self.help = help
        self.labelNames = labelNames
        self.kind = kind
        var header: [UInt8] = []
        header += "# HELP ".utf8
        header += name
        header += " ".utf8
        Escaping.appendHelp(help, to: &header)
        header += "\n# TYPE ".utf8
        header += name
        header += " \(kind.typeName)\n".utf8
        self.header = header
    }

    func accepts(help: String, labels: LabelSet, kind: MetricKind) -> Bool {
        self.help.utf8.elementsEqual(help.utf8) && self.labelNames == labels.names && self.kind == kind
    }

    /// The series' instrument, made if the series is new. Nil when there are too many.
    mutating func register(_ labels: LabelSet, make: () -> Instrument) -> Registration? {
        if let known = self.instruments[labels.text] { return Registration(instrument: known, isNew: false) }
        guard self.series.count < MetricsRegistry.seriesLimit else { return nil }
        let instrument = make()
        self.instruments[labels.text] = instrument
        let index = self.series.firstIndex { labels.precedes($0.labels) } ?? self.series.count
        self.series.insert(Series(name: self.name, labels: labels, instrument: instrument), at: index)
        return Registration(instrument: instrument, isNew: true)
    }

    func render(into text: inout [UInt8]) {
        text += self.header
        for series in self.series {
            series.render(into: &text)
        }
    }
}
