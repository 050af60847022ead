/// The text format 0.0.4 as a strict reader takes it: every line is a HELP, a TYPE or a sample, HELP and TYPE come once
/// and before the samples of their family, families are in one piece, and no series comes twice.
struct Exposition {
    struct Failure: Error {
        let reason: String
        let line: String
    }

    struct Sample: Equatable {
        var name: String
        var labels: [String: String]
        /// As it was written.
        var value: String
    }

    struct Family {
        var name: String
        var help: String
        var type: String
        var samples: [Sample] = []
    }

    private(set) var families: [Family] = []

    init(_ text: [UInt8]) throws {
        guard let string = String(validating: text, as: UTF8.self) else { throw Failure(reason: "not UTF-8", line: "") }
        guard string.utf8.last == UInt8(ascii: "\n") else { throw Failure(reason: "no newline at the end", line: "") }
        // By bytes: a carriage return in a label isn't the end of a line, nor part of a character here.
        for bytes in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
            let line = String(decoding: bytes, as: UTF8.self)
            var cursor = Cursor(bytes: Array(bytes), line: line)
            if cursor.skip("# HELP ") {
                let name = try cursor.name()
                try cursor.take(" ")
                guard !self.families.contains(where: { $0.name == name }) else { throw cursor.failure("HELP twice") }
                self.families.append(Family(name: name, help: try cursor.escaped(endingAt: nil), type: ""))
            } else if cursor.skip("# TYPE ") {
                let name = try cursor.name()
                try cursor.take(" ")
                guard self.families.last?.name == name, self.families.last?.type == "" else {
                    throw cursor.failure("TYPE out of place")
                }
                self.families[self.families.count - 1].type = cursor.rest
            } else {
                try self.add(try cursor.sample(), cursor)
            }
        }
    }

    private mutating func add(_ sample: Sample, _ cursor: Cursor) throws {
        guard let family = self.families.last, family.type != "" else {
            throw cursor.failure("a sample before its TYPE")
        }
        let suffixes = family.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
        guard suffixes.contains(where: { family.name + $0 == sample.name }) else {
            throw cursor.failure("a sample of another family")
        }
        let labels = sample.labels.mapValues { Array($0.utf8) }
        guard
            !family.samples.contains(where: {
                $0.name == sample.name && $0.labels.mapValues { Array($0.utf8) } == labels
            })
        else {
            throw cursor.failure("a series twice")
        }
        guard Double(sample.value) != nil, !["nan", "inf", "-inf"].contains(sample.value) else {
            throw cursor.failure("no number")
        }
        self.families[self.families.count - 1].samples.append(sample)
    }

    subscript(name: String) -> Family? {
        self.families.first { $0.name == name }
    }

    /// The value of a sample.
    func value(_ name: String, _ labels: [String: String] = [:]) -> String? {
        self.families.lazy.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?.value
    }
}

extension Exposition {
    private struct Cursor {
        let bytes: [UInt8]
        let line: String
        var index = 0

        init(bytes: [UInt8], line: String) {
            self.bytes = bytes
            self.line = line
        }

        var rest: String { String(decoding: self.bytes[self.index...], as: UTF8.self) }

        func failure(_ reason: String) -> Failure { Failure(reason: reason, line: self.line) }

        mutating func skip(_ text: String) -> Bool {
            guard self.bytes[self.index...].starts(with: text.utf8) else { return false }
            self.index += text.utf8.count
            return true
        }

        mutating func take(_ text: String) throws {
            guard self.skip(text) else { throw self.failure("no \(text)") }
        }

        mutating func name() throws -> String {
            let start = self.index
            while self.index < self.bytes.count {
                let scalar = Unicode.Scalar(self.bytes[self.index])
                let isLetter =
                    ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || "_:".unicodeScalars.contains(scalar)
                guard isLetter || (self.index > start && ("0"..."9").contains(scalar)) else { break }
                self.index += 1
            }
            guard self.index > start else { throw self.failure("no name") }
            return String(decoding: self.bytes[start..<self.index], as: UTF8.self)
        }

        /// Text up to a quote, or to the end of the line, with its escapes undone.
        mutating func escaped(endingAt end: UInt8?) throws -> String {
            var text: [UInt8] = []
            while self.index < self.bytes.count, self.bytes[self.index] != end {
                if self.skip("\\\\") {
                    text.append(UInt8(ascii: "\\"))
                } else if self.skip("\\n") {
                    text.append(UInt8(ascii: "\n"))
                } else if end != nil, self.skip("\\\"") {
                    text.append(UInt8(ascii: "\""))
                } else if self.bytes[self.index] == UInt8(ascii: "\\") {
                    throw self.failure("an unknown escape")
                } else {
                    text.append(self.bytes[self.index])
                    self.index += 1
                }
            }
            return String(decoding: text, as: UTF8.self)
        }

        mutating func sample() throws -> Sample {
            let name = try self.name()
            var labels: [String: String] = [:]
            if self.skip("{") {
                repeat {
                    let label = try self.name()
                    try self.take("=\"")
                    let value = try self.escaped(endingAt: UInt8(ascii: "\""))
                    try self.take("\"")
                    guard labels.updateValue(value, forKey: label) == nil else { throw self.failure("a label twice") }
                } while self.skip(",")
                try self.take("}")
            }
            try self.take(" ")
            return Sample(name: name, labels: labels, value: self.rest)
        }
    }
}
