import HTTP1
import PrometheusMetrics

/// The form in which a scraper gets the metrics: the format by its `Accept`, and how names that older readers don't
/// know would be escaped.
struct MetricsForm: Equatable {
    /// The `escaping` of Prometheus 3. Every name here is one that all readers know, so it changes the answer's type only.
    enum Escaping: String, CaseIterable {
        case allowUTF8 = "allow-utf-8"
        case underscores, dots, values
    }

    var format: ExpositionFormat
    /// As the scraper asked.
    var escaping: Escaping?

    /// Of the formats that the elements of `Accept` name, the one with the highest weight, and the first one of several;
    /// text when there is none. Nobody is refused.
    ///
    /// A wildcard names the text, but for `application/*`. A weight that is none counts as 0, and a version that is not
    /// spoken here names nothing.
    init(accept headers: HeaderFields) {
        var best = 0
        self.format = .text
        for element in headers.elements(of: "accept") {
            let type = MediaType(element[...])
            guard let format = Self.format(of: type), type.weight > best else { continue }
            best = type.weight
            self.format = format
            self.escaping = type.parameter("escaping").flatMap { Escaping(rawValue: String(Substring($0))) }
        }
    }

    private static func format(of type: MediaType) -> ExpositionFormat? {
        func version(isIn known: [String]) -> Bool {
            type.parameter("version").map { known.contains(String(Substring($0))) } ?? true
        }
        if type.isNamed("text/plain") { return version(isIn: ["0.0.4", "1.0.0"]) ? .text : nil }
        if type.isNamed("text/*") || type.isNamed("*/*") { return .text }
        if type.isNamed("application/openmetrics-text") { return version(isIn: ["1.0.0"]) ? .openMetrics : nil }
        if type.isNamed("application/*") { return .openMetrics }
        if type.isNamed("application/vnd.google.protobuf"),
            type.parameter("proto").map({ String(Substring($0)) }) == "io.prometheus.client.MetricFamily",
            type.parameter("encoding").map({ String(Substring($0)) }) == "delimited"
        {
            return .protobuf
        }
        return nil
    }

    /// The answer's type, with the escaping if one was asked for.
    var contentType: StaticString {
        switch (self.format, self.escaping) {
        case (.text, nil): "text/plain; version=0.0.4; charset=utf-8"
        case (.text, .allowUTF8?): "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8"
        case (.text, .underscores?): "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
        case (.text, .dots?): "text/plain; version=0.0.4; charset=utf-8; escaping=dots"
        case (.text, .values?): "text/plain; version=0.0.4; charset=utf-8; escaping=values"
        case (.openMetrics, nil): "application/openmetrics-text; version=1.0.0; charset=utf-8"
        case (.openMetrics, .allowUTF8?):
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
        case (.openMetrics, .underscores?):
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
        case (.openMetrics, .dots?): "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots"
        case (.openMetrics, .values?): "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values"
        case (.protobuf, nil):
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        case (.protobuf, .allowUTF8?):
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=allow-utf-8"
        case (.protobuf, .underscores?):
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores"
        case (.protobuf, .dots?):
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=dots"
        case (.protobuf, .values?):
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=values"
        }
    }
}
