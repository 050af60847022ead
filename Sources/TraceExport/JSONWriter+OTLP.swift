public import JSON
import RequestTracing

/// Recurring parts of OTLP's JSON format.
extension JSONWriter {
    /// A member that is an array of one object.
    mutating func oneElement(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.member(name, array: { $0.element(object: body) })
    }

    mutating func attributes(_ body: (inout JSONWriter) -> Void) {
        self.member("attributes", array: body)
    }

    mutating func attribute(_ name: StaticString, _ text: String) {
        self.attribute(name, .text(text))
    }

    mutating func attribute(_ name: StaticString, _ value: ChildSpan.Value) {
        self.element(object: { attribute in
            attribute.member("key", name.description)
            attribute.member("value", object: { $0.anyValue(value) })
        })
    }

    mutating func attribute(_ name: StaticString, texts: [String]) {
        self.element(object: { attribute in
            attribute.member("key", name.description)
            attribute.member(
                "value",
                object: { value in
                    value.member(
                        "arrayValue",
                        object: { list in
                            list.member(
                                "values",
                                array: { values in
                                    for text in texts { values.element(object: { $0.anyValue(.text(text)) }) }
                                }
                            )
                        }
                    )
                }
            )
        })
    }

    private mutating func anyValue(_ value: ChildSpan.Value) {
        switch value {
        case .text(let text): self.member("stringValue", text)
        case .integer(let integer): self.member("intValue", String(integer))
        }
    }

    mutating func traceState(_ state: String?) {
        if let state { self.member("traceState", state) }
    }

    /// - Parameter offset: wall clock minus the clock of the two times.
    mutating func times(_ beganAt: UInt64, _ endedAt: UInt64, offset: UInt64) {
        self.member("startTimeUnixNano", String(beganAt &+ offset))
        self.member("endTimeUnixNano", String(max(beganAt, endedAt) &+ offset))
    }

    public mutating func status(isError: Bool) {
        self.member("status", object: { if isError { $0.member("code", 2) } })
    }
}
