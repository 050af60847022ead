import Testing

@testable import PrometheusMetrics

@Suite("A registration", .timeLimit(.minutes(1)))
struct RegistrationTests {
    private let registry = MetricsRegistry()

    private var conflicts: Int {
        get throws {
            try #require(Int(Exposition(self.registry.render()).value("metrics_registration_conflicts_total")!))
        }
    }

    @Test func `of a known series returns the same object, whatever the order of its labels`() throws {
        #expect(
            self.registry.counter("c_total", help: "c", labels: [("a", "1"), ("b", "2")])
                === self.registry.counter("c_total", help: "c", labels: [("b", "2"), ("a", "1")])
        )
        #expect(
            self.registry.counter("c_total", help: "c", labels: [("a", "1"), ("b", "2")])
                !== self.registry.counter("c_total", help: "c", labels: [("a", "2"), ("b", "1")])
        )
        #expect(self.registry.gauge("g", help: "g") === self.registry.gauge("g", help: "g"))
        #expect(self.registry.histogram("h", help: "h") === self.registry.histogram("h", help: "h"))
        #expect(try self.conflicts == 0)
    }

    @Test func `tells label values apart by their bytes`() throws {
        let composed = self.registry.counter("c_total", help: "c", labels: [("a", "é")])
        let decomposed = self.registry.counter("c_total", help: "c", labels: [("a", "e\u{301}")])
        #expect(composed !== decomposed)
        #expect(try self.conflicts == 0)
    }

    @Test func `with another type is counted and its handle works unseen`() throws {
        let counter = self.registry.counter("x_total", help: "x")
        counter.increment(by: 7)
        self.registry.gauge("x_total", help: "x").set(1)
        self.registry.histogram("x_total", help: "x").observe(1)
        self.registry.gauge("x_total", help: "x", read: { 1 })
        #expect(try Exposition(self.registry.render()).value("x_total") == "7")
        #expect(try Exposition(self.registry.render())["x_total"]?.type == "counter")
        #expect(try self.conflicts == 3)
    }

    @Test func `with other help, label names or bounds is counted and its handle works unseen`() throws {
        _ = self.registry.counter("x_total", help: "x", labels: [("a", "1")])
        let detached = [
            self.registry.counter("x_total", help: "y", labels: [("a", "1")]),
            self.registry.counter("x_total", help: "x", labels: [("b", "1")]),
            self.registry.counter("x_total", help: "x", labels: [("a", "1"), ("b", "1")]),
            self.registry.counter("x_total", help: "x"),
        ]
        for counter in detached {
            counter.increment()
            #expect(counter.value == 1)
        }
        let histogram = self.registry.histogram("h", help: "h", bounds: [1, 2])
        let other = self.registry.histogram("h", help: "h", bounds: [1, 3])
        other.observe(2.5)
        #expect(other.snapshot().count == 1)
        #expect(histogram.snapshot().count == 0)
        let exposition = try Exposition(self.registry.render())
        #expect(exposition["x_total"]?.samples == [Exposition.Sample(name: "x_total", labels: ["a": "1"], value: "0")])
        #expect(try self.conflicts == 5)
    }

    @Test(arguments: ["", "0a", "a-b", "a b", "é", "a\n", "a{", "http.requests"])
    func `with a name that the format does not allow is counted`(_ name: String) throws {
        self.registry.counter(name, help: "x").increment()
        self.registry.gauge("g", help: "x", labels: [(name, "1")]).set(1)
        #expect(try self.conflicts == 2)
        #expect(try Exposition(self.registry.render()).families.count == 2)
    }

    @Test(arguments: ["a:b", "__a"])
    func `with a label name that Prometheus keeps for itself is counted`(_ name: String) throws {
        self.registry.gauge("g", help: "x", labels: [(name, "1")]).set(1)
        #expect(try self.conflicts == 1)
    }

    @Test func `with all characters that the format allows is shown`() throws {
        self.registry.gauge("_aZ:09", help: "x", labels: [("_aZ09", "1")]).set(1)
        #expect(try Exposition(self.registry.render()).value("_aZ:09", ["_aZ09": "1"]) == "1")
        #expect(try self.conflicts == 0)
    }

    @Test func `with a label twice or with a histogram's own label is counted`() throws {
        _ = self.registry.counter("c_total", help: "x", labels: [("a", "1"), ("a", "2")])
        _ = self.registry.histogram("h", help: "x", labels: [("le", "1")])
        #expect(try self.conflicts == 2)
        self.registry.gauge("g", help: "x", labels: [("le", "1")]).set(1)
        #expect(try self.conflicts == 2)
    }

    @Test func `that would mix its samples with a histogram's is counted`() throws {
        _ = self.registry.histogram("h", help: "h")
        for suffix in ["_bucket", "_sum", "_count"] { _ = self.registry.counter("h" + suffix, help: "x") }
        #expect(try self.conflicts == 3)
        _ = self.registry.counter("i_count", help: "x")
        _ = self.registry.histogram("i", help: "x")
        #expect(try self.conflicts == 4)
        _ = try Exposition(self.registry.render())
    }

    @Test func `that would share a name with a counter's family in OpenMetrics is counted`() throws {
        _ = self.registry.counter("c_total", help: "c")
        _ = self.registry.gauge("c", help: "x")
        _ = self.registry.gauge("c_created", help: "x")
        #expect(try self.conflicts == 2)
        _ = self.registry.gauge("d", help: "d")
        _ = self.registry.counter("d_total", help: "x")
        #expect(try self.conflicts == 3)
    }

    @Test(arguments: [[], [2, 1], [1, 1], [1, .infinity], [.nan], [-.infinity, 0]] as [[Double]])
    func `with bounds that cannot be is counted and takes observations all the same`(_ bounds: [Double]) throws {
        let histogram = self.registry.histogram("h", help: "h", bounds: bounds)
        histogram.observe(1)
        histogram.observe(nanoseconds: 1)
        #expect(histogram.snapshot().count == 2)
        #expect(try self.conflicts == 1)
    }

    @Test func `of a second source for a value is counted and the first stays`() throws {
        self.registry.gauge("g", help: "g", read: { 1 })
        self.registry.gauge("g", help: "g", read: { 2 })
        _ = self.registry.gauge("g", help: "g")
        let counter = self.registry.counter("c_total", help: "c")
        counter.increment()
        self.registry.counter("c_total", help: "c", read: { 9 })
        let exposition = try Exposition(self.registry.render())
        #expect(exposition.value("g") == "1")
        #expect(exposition.value("c_total") == "1")
        #expect(try self.conflicts == 3)
    }

    @Test func `beyond the limit of series is counted and known series go on`() throws {
        for number in 0..<MetricsRegistry.seriesLimit + 5 {
            self.registry.counter("c_total", help: "c", labels: [("n", "\(number)")]).increment()
        }
        self.registry.counter("c_total", help: "c", labels: [("n", "0")]).increment()
        let text = String(decoding: self.registry.render(), as: UTF8.self)
        #expect(text.split(separator: "\n").count { $0.hasPrefix("c_total{") } == MetricsRegistry.seriesLimit)
        #expect(text.contains("c_total{n=\"0\"} 2\n"))
        #expect(text.contains("metrics_series_overflow_total 5\n"))
    }

    @Test func `can be taken back by a label, and then begins anew`() throws {
        func counter(_ upstream: String) -> Counter {
            self.registry.counter("c_total", help: "c", labels: [("upstream", upstream), ("op", "get")])
        }
        func lines() throws -> [String] {
            let text = self.registry.render()
            _ = try Exposition(text)
            return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init).filter {
                $0.contains("{")
            }
        }
        let other = self.registry.counter("d_total", help: "d", labels: [("name", "a")])
        let (first, kept) = (counter("a"), counter("b"))
        for counter in [other, first, kept] { counter.increment(by: 3) }
        self.registry.gauge("g", help: "g", labels: [("upstream", "a")], read: { 1 })
        self.registry.removeSeries(withLabel: ("upstream", "a"))
        first.increment()
        #expect(try lines() == [#"c_total{op="get",upstream="b"} 3"#, #"d_total{name="a"} 3"#])
        counter("a").increment()
        self.registry.gauge("g", help: "g", labels: [("upstream", "a")], read: { 2 })
        #expect(
            try lines() == [
                #"c_total{op="get",upstream="a"} 1"#, #"c_total{op="get",upstream="b"} 3"#, #"d_total{name="a"} 3"#,
                #"g{upstream="a"} 2"#,
            ])
        #expect(try self.conflicts == 0)
    }

    @Test func `may happen on many threads while others render and record`() async throws {
        await withTaskGroup { group in
            for task in 0..<8 {
                group.addTask {
                    for number in 0..<50 {
                        self.registry.counter("c_\(number % 10)_total", help: "c", labels: [("n", "\(number)")])
                            .increment()
                        if task == 0 { #expect(throws: Never.self) { try Exposition(self.registry.render()) } }
                    }
                }
            }
        }
        let exposition = try Exposition(self.registry.render())
        for number in 0..<50 { #expect(exposition.value("c_\(number % 10)_total", ["n": "\(number)"]) == "8") }
        #expect(try self.conflicts == 0)
    }
}
