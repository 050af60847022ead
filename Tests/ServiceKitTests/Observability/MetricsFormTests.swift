import PrometheusMetrics
import Testing

@testable import HTTP1
@testable import Telemetry

@Suite("The form of the metrics", .timeLimit(.minutes(1)))
struct MetricsFormTests {
    private static let protobuf =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

    private static func form(_ accept: String...) -> MetricsForm {
        MetricsForm(accept: HeaderFields(accept.map { ("Accept", $0) }))
    }

    /// What Prometheus 2.26 and later, 2.42 with native histograms, 3.14, and 3.14 with native histograms send.
    @Test(arguments: [
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            ExpositionFormat.openMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8"
        ),
        (
            Self.protobuf
                + ",application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            .protobuf, "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        ),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            .openMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
        ),
        (
            Self.protobuf
                + ";escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            .protobuf,
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=allow-utf-8"
        ),
    ])
    func `is what a Prometheus asks for first`(_ accept: String, _ format: ExpositionFormat, _ contentType: String) {
        let form = Self.form(accept)
        #expect(form.format == format)
        #expect(form.contentType.description == contentType)
    }

    @Test(arguments: [
        "*/*", "text/*", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json", "",
        "text/plain;version=0.0.4", "TEXT/Plain ; Version=\"0.0.4\" ; Q=0.3", "text/plain;version=1.0.0",
        "application/openmetrics-text;version=2.0.0", "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;q=0", "application/openmetrics-text;q=high,*/*;q=0.1", ",,;,=;q",
        "application/vnd.google.protobuf", "application/vnd.google.protobuf;encoding=delimited",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
        "application/vnd.google.protobuf;proto=other;encoding=delimited", "text/plain;q=0",
    ])
    func `is the text unless something else is asked for that is spoken here`(_ accept: String) {
        #expect(Self.form(accept) == Self.form())
        #expect(Self.form(accept).contentType.description == "text/plain; version=0.0.4; charset=utf-8")
    }

    @Test func `is OpenMetrics for any version that is left open`() {
        for accept in ["application/openmetrics-text", "application/*", "APPLICATION/OpenMetrics-Text; version=1.0.0"] {
            #expect(Self.form(accept).format == .openMetrics, "\(accept)")
        }
    }

    @Test(arguments: ["allow-utf-8", "underscores", "dots", "values"])
    func `names the escaping that was asked for`(_ escaping: String) {
        for type in ["text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0", Self.protobuf] {
            let form = Self.form("\(type);escaping=\(escaping)")
            #expect(form.contentType.description.hasSuffix("; escaping=\(escaping)"))
            #expect(form.format == Self.form(type).format)
        }
        #expect(Self.form("text/plain;escaping=upside-down").escaping == nil)
    }

    @Test func `is of the highest weight, in whatever order, line and spelling the ranges come`() {
        var generator = SystemRandomNumberGenerator()
        let types: [(String, ExpositionFormat?)] = [
            ("text/plain;version=0.0.4", .text), ("text/plain", .text), ("*/*", .text),
            ("application/openmetrics-text;version=1.0.0", .openMetrics),
            ("application/openmetrics-text", .openMetrics),
            (Self.protobuf, .protobuf), ("application/json", nil), ("application/openmetrics-text;version=9", nil),
        ]
        for _ in 0..<500 {
            let chosen = types.shuffled(using: &generator).prefix(Int.random(in: 0...types.count, using: &generator))
            let weights = (0...1_000).shuffled(using: &generator).prefix(chosen.count)
            let ranges = zip(chosen, weights).map { (text: $0.0, format: $0.1, weight: $1) }
            let best = ranges.filter { $0.format != nil && $0.weight > 0 }.max { $0.weight < $1.weight }
            let fields = ranges.map { range in
                let weight = range.weight == 1_000 ? "1.000" : "0." + String(String(1_000 + range.weight).dropFirst())
                let text = Bool.random(using: &generator) ? range.text : range.text.uppercasedName
                return "\(text) ;\tq=\(weight)"
            }
            let split = Int.random(in: 0...fields.count, using: &generator)
            let lines = [fields[..<split], fields[split...]].map { $0.joined(separator: ", ") }
            let form = MetricsForm(accept: HeaderFields(lines.map { ("aCCept", $0) }))
            #expect(form.format == best?.format ?? .text, "\(lines)")
        }
    }

    @Test(arguments: [
        ("gzip", true), ("gzip, deflate, br", true), ("x-gzip;q=0.1", true), ("*", true), ("GZIP;q=1.0", true),
        ("", false),
        ("identity", false), ("gzip;q=0", false), ("*, gzip;q=0", false), ("*;q=0", false),
        ("br;q=1, gzip ; q=0.5", true),
        ("*;q=0, gzip", true), ("gzipped", false),
    ])
    func `is compressed for those who say so`(_ accept: String, _ isAccepted: Bool) {
        #expect(Gzip.isAccepted(HeaderFields([("Accept-Encoding", accept)])) == isAccepted)
    }

    @Test func `is not compressed for those who say nothing`() {
        #expect(!Gzip.isAccepted(HeaderFields()))
    }
}

extension String {
    /// The name of a media type in uppercase, its parameters as they are.
    fileprivate var uppercasedName: String {
        let parts = self.split(separator: ";", maxSplits: 1)
        return ([parts[0].uppercased()] + parts.dropFirst().map(String.init)).joined(separator: ";")
    }
}
