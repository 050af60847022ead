import NIOCore
import Testing

@testable import HTTP1
@testable import RequestTracing

@Suite(.timeLimit(.minutes(1)))
struct TraceContextTests {
    static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    static func received(_ traceparent: String) -> TraceContext.Received? {
        TraceContext.Received(parsing: traceparent.utf8.span)
    }

    @Test func `a valid traceparent is continued with a span of our own`() throws {
        var generator = RequestIdentityGenerator(seed: 1)
        let received = try #require(Self.received(Self.parent))
        let trace = generator.continueTrace(received, state: "vendor=x")
        #expect(trace.traceID == "0af7651916cd43dd8448eb211c80319c")
        #expect(trace.parentSpanID == "b7ad6b7169203331")
        #expect(trace.spanID != "b7ad6b7169203331" && trace.spanID.count == 16)
        #expect(trace.flags == 1)
        #expect(trace.state == "vendor=x")
        #expect(trace.traceparent == "00-0af7651916cd43dd8448eb211c80319c-\(trace.spanID)-01")
        var buffer = ByteBuffer()
        trace.writeTraceparent(to: &buffer)
        #expect(String(buffer: buffer) == trace.traceparent)
        #expect(Self.received(trace.traceparent) != nil)
    }

    @Test(arguments: [
        "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
        " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ])
    func `anything else is not continued`(value: String) {
        #expect(Self.received(value) == nil)
    }

    @Test func `a later version is read by what this one knows of it`() throws {
        let value = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-more"
        let received = try #require(Self.received(value))
        #expect(received.flags == 1)
        #expect(received.parentSpan == 0xb7ad_6b71_6920_3331)
    }

    @Test func `a trace that begins here has no parent and is not sampled`() {
        var generator = RequestIdentityGenerator(seed: 2)
        let trace = generator.beginTrace()
        #expect(trace.parentSpanID == nil && trace.state == nil && trace.flags == 0)
        #expect(trace.traceID.count == 32 && trace.spanID.count == 16)
        #expect(Self.received(trace.traceparent) != nil)
    }

    @Test func `ids have only their characters and don't repeat`() {
        var generator = RequestIdentityGenerator()
        var ids: Set<String> = []
        for _ in 0..<10_000 {
            let id = generator.requestID()
            #expect(id.utf8.count == 13 && id.utf8.allSatisfy(ASCII.isIdentifierCharacter))
            ids.insert(id)
        }
        #expect(ids.count == 10_000)
        #expect(ids.reduce(into: Set<Character>()) { $0.formUnion($1) }.count == 32)
    }

    @Test func `a tracestate is passed on if it is printable and short enough`() {
        #expect(TraceContext.acceptedState("a=1,b=2") == "a=1,b=2")
        #expect(TraceContext.acceptedState("") == nil)
        #expect(TraceContext.acceptedState("a=\u{1B}") == nil)
        #expect(TraceContext.acceptedState("a=é") == nil)
        #expect(TraceContext.acceptedState(String(repeating: "a", count: 512)) != nil)
        #expect(TraceContext.acceptedState(String(repeating: "a", count: 513)) == nil)
    }

    @Test func `ids can be given as text`() throws {
        let trace = try #require(
            TraceContext(traceID: "0af7651916cd43dd8448eb211c80319c", spanID: "b7ad6b7169203331", flags: 1)
        )
        #expect(trace.traceparent == Self.parent)
        #expect(TraceContext(traceID: "0af7", spanID: "b7ad6b7169203331") == nil)
        #expect(TraceContext(traceID: "0af7651916cd43dd8448eb211c80319c", spanID: "0000000000000000") == nil)
    }
}
