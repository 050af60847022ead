import Testing

@testable import RequestTracing
@testable import TraceExport

@Suite(.timeLimit(.minutes(1)))
struct TraceSettingsTests {
    @Test(arguments: [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"), ("http://jaeger", "http://jaeger:4318/v1/traces"),
        ("http://[::1]/", "http://[::1]:4318/v1/traces"), ("http://a:1/otlp/", "http://a:1/otlp/v1/traces"),
        ("http://a:1/v1/traces", "http://a:1/v1/traces"),
    ])
    func `an endpoint is a base address or the whole one`(text: String, url: String) {
        #expect(OTLPEndpoint(text)?.description == url)
    }

    @Test(arguments: [
        "", "a:4318", "https://a:4318", "http://", "http://a:0", "http://a:x", "http://u@a", "http://a/x?y",
        "http://a/#",
        "http://a/x\r\nHost: b", "http://a/ü",
    ])
    func `anything else is refused`(text: String) {
        #expect(OTLPEndpoint(text) == nil)
    }

    @Test func `the ratio is the part of traces that is sampled, and follows from the id alone`() {
        var generator = RequestIdentityGenerator(seed: 7)
        let ratios = [0, 0.01, 0.5, 1]
        var taken = [Int](repeating: 0, count: ratios.count)
        for _ in 0..<20_000 {
            let low = generator.next()
            let decisions = ratios.map { TraceSampler(ratio: $0).takes(traceLow: low) }
            for (index, decision) in decisions.enumerated() where decision { taken[index] += 1 }
            // A trace that is exported at a low ratio is exported at a higher one.
            #expect(decisions == decisions.sorted { !$0 && $1 })
        }
        #expect(taken[0] == 0 && taken[3] == 20_000)
        #expect((150...250).contains(taken[1]) && (9_700...10_300).contains(taken[2]), "\(taken)")
    }

    @Test func `a trace begun here says in its flags what was decided, and its children too`() {
        var generator = RequestIdentityGenerator(seed: 8)
        let sampled = generator.beginTrace(sampler: TraceSampler(ratio: 1))
        #expect(sampled.isSampled && sampled.traceparent.hasSuffix("-01"))
        #expect(!generator.beginTrace(sampler: TraceSampler(ratio: 0)).isSampled)
        #expect(!generator.beginTrace().isSampled)
        let child = sampled.child(span: 0xAB)
        #expect(child.traceID == sampled.traceID && child.spanID == "00000000000000ab" && child.isSampled)
        #expect(child.parentSpanID == sampled.spanID)
    }
}
