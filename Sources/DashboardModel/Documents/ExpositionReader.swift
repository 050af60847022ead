/// Reads the samples of a Prometheus text exposition (version 0.0.4), one after another.
///
/// Comments, blank lines and families that the caller does not want are skipped without parsing: a dashboard does not
/// need most of a scrape.
struct ExpositionReader {
    /// One line; its labels are in their original order.
    struct Sample {
        var name: String
        var labels: [(name: String, value: String)]
        var value: Double

        /// The value of a label; empty if there is none, as in Prometheus.
        subscript(label: String) -> String {
            self.labels.first { $0.name == label }?.value ?? ""
        }
    }

    private let bytes: [UInt8]
    private let isWanted: (String) -> Bool
    private var offset = 0
    private var line = 0
    /// The family of the previous line: most lines have the same name as the line above.
    private var lastName: (bytes: ArraySlice<UInt8>, text: String, wanted: Bool) = ([], "", false)

    init(_ bytes: [UInt8], isWanted: @escaping (String) -> Bool) {
        self.bytes = bytes
        self.isWanted = isWanted
    }

    /// The next wanted sample; nil at the end.
    ///
    /// - Throws: the first malformed line.
    mutating func next() throws(ExpositionError) -> Sample? {
        while self.offset < self.bytes.count {
            self.line += 1
            let begin = self.offset
            let end = self.bytes[begin...].firstIndex(of: UInt8(ascii: "\n")) ?? self.bytes.count
            self.offset = end + 1
            guard begin < end, self.bytes[begin] != UInt8(ascii: "#") else { continue }
            let stop = self.bytes[begin..<end].firstIndex { $0 == UInt8(ascii: "{") || $0 == 0x20 } ?? end
            guard stop > begin, stop < end else { throw self.error("no value") }
            self.rememberName(self.bytes[begin..<stop])
            guard self.lastName.wanted else { continue }
            return try self.sample(self.bytes[stop..<end])
        }
        return nil
    }

    private mutating func rememberName(_ name: ArraySlice<UInt8>) {
        guard name != self.lastName.bytes else { return }
        let text = String(decoding: name, as: UTF8.self)
        self.lastName = (name, text, self.isWanted(text))
    }

    private func sample(_ rest: ArraySlice<UInt8>) throws(ExpositionError) -> Sample {
        var sample = Sample(name: self.lastName.text, labels: [], value: 0)
        var position = rest.startIndex
        if rest[position] == UInt8(ascii: "{") {
            position += 1
            try self.labels(rest, &position, &sample.labels)
        }
        // The value. A timestamp may follow, which is ignored.
        guard let number = rest[position...].split(separator: 0x20).first else { throw self.error("no value") }
        sample.value = try self.number(number)
        return sample
    }

    private func labels(
        _ text: ArraySlice<UInt8>, _ position: inout Int, _ labels: inout [(name: String, value: String)]
    ) throws(ExpositionError) {
        while position < text.endIndex {
            if text[position] == UInt8(ascii: "}") {
                position += 1
                return
            }
            if text[position] == UInt8(ascii: ",") || text[position] == 0x20 {
                position += 1
                continue
            }
            guard let equals = text[position...].firstIndex(of: UInt8(ascii: "=")), equals + 1 < text.endIndex,
                text[equals + 1] == UInt8(ascii: "\"")
            else { throw self.error("a label without a value") }
            let name = String(decoding: text[position..<equals], as: UTF8.self)
            position = equals + 2
            labels.append((name, try self.labelValue(text, &position)))
        }
        throw self.error("unterminated labels")
    }

    /// A label's value after its opening quote; the position moves behind the closing quote.
    private func labelValue(_ text: ArraySlice<UInt8>, _ position: inout Int) throws(ExpositionError) -> String {
        var value: [UInt8] = []
        while position < text.endIndex {
            let byte = text[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: value, as: UTF8.self)
            case UInt8(ascii: "\\") where position < text.endIndex:
                value.append(text[position] == UInt8(ascii: "n") ? UInt8(ascii: "\n") : text[position])
                position += 1
            default: value.append(byte)
            }
        }
        throw self.error("unterminated label value")
    }

    private func number(_ text: ArraySlice<UInt8>) throws(ExpositionError) -> Double {
        switch String(decoding: text, as: UTF8.self) {
        case "+Inf", "Inf": return .infinity
        case "-Inf": return -.infinity
        case "NaN": return .nan
        case let text:
            guard let value = Double(text) else { throw self.error("'\(text)' is not a number") }
            return value
        }
    }

    /// The upper bound of an `le` label.
    static func bound(_ text: String) -> Double? {
        text == "+Inf" ? .infinity : Double(text)
    }

    private func error(_ reason: String) -> ExpositionError {
        ExpositionError(line: self.line, reason: reason)
    }
}

/// Why a text is not a Prometheus exposition.
public struct ExpositionError: Error, Equatable, CustomStringConvertible {
    /// From 1.
    public let line: Int
    public let reason: String

    public var description: String { "line \(self.line) is not a metric: \(self.reason)" }
}
