import HTTP1
import PrometheusMetrics

/// The format of a scrape: chosen by `Accept`, with the escaping for names that older readers do not know.
struct MetricsForm: Equatable {
    /// The `escaping` of Prometheus 3. All names here are valid for all readers, so it changes only the answer's type.
    enum Escaping: String, CaseIterable {
        case allowUTF8 = "allow-utf-8"
        case underscores, dots, values
    }

    var format: ExpositionFormat
    /// As requested by the scraper.
    var escaping: Escaping?

    /// The format with the highest weight in `Accept`, and the first one of several; text if there is none. There is no
    /// 406.
    ///
    /// A wildcard means text, except `application/*`. An invalid weight counts as 0, and an unsupported version is
    /// ignored.
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

    /// The answer's type, with the escaping if one was requested.
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
