/// One media type in `Content-Type` or `Accept`: a name and parameters. A view of the header's text.
public struct MediaType {
    private let text: Substring.UTF8View

    public init(_ text: Substring) {
        self.text = text.utf8
    }

    /// Whether the type is `lowercaseName`, such as `application/json`, in any case.
    public func isNamed(_ lowercaseName: StaticString) -> Bool {
        equalsIgnoringCase(trimmed(self.text.prefix { $0 != UInt8(ascii: ";") }), lowercaseName)
    }

    /// The value of the parameter `lowercaseName`, without quotes; nil if there is none.
    public func parameter(_ lowercaseName: StaticString) -> Substring.UTF8View? {
        for part in self.text.split(separator: UInt8(ascii: ";")).dropFirst() {
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { continue }
            guard equalsIgnoringCase(trimmed(part[..<equals]), lowercaseName) else { continue }
            let value = trimmed(part[part.index(after: equals)...])
            if value.count >= 2, value.first == UInt8(ascii: "\""), value.last == UInt8(ascii: "\"") {
                return value.dropFirst().dropLast()
            }
            return value
        }
        return nil
    }

    /// Whether text of this type is UTF-8: by its charset, or without one.
    public var isUTF8: Bool {
        guard let charset = self.parameter("charset") else { return true }
        return equalsIgnoringCase(charset, "utf-8")
    }

    /// The weight `q` of an `Accept` element in thousandths, 0 to 1,000; 0 if it is invalid.
    public var weight: Int {
        guard let text = self.parameter("q") else { return 1000 }
        let digits = Array(text)
        guard digits.count <= 5, digits.first == UInt8(ascii: "0") || digits.first == UInt8(ascii: "1"),
            digits.count < 2 || digits[1] == UInt8(ascii: ".")
        else { return 0 }
        var thousandths = 0
        for place in [0, 2, 3, 4] {
            let digit = place < digits.count ? Int(digits[place]) - Int(UInt8(ascii: "0")) : 0
            guard (0...9).contains(digit) else { return 0 }
            thousandths = thousandths * 10 + digit
        }
        return min(thousandths, 1000)
    }
}

private func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
    func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
    var text = text.drop(while: isSpace)
    while let last = text.last, isSpace(last) { text.removeLast() }
    return text
}

private func equalsIgnoringCase(_ text: Substring.UTF8View, _ lowercase: StaticString) -> Bool {
    let expected = unsafe UnsafeBufferPointer(start: lowercase.utf8Start, count: lowercase.utf8CodeUnitCount)
    return unsafe text.elementsEqual(expected) { byte, lowercaseByte in
        let isUpperCase = UInt8(ascii: "A") <= byte && byte <= UInt8(ascii: "Z")
        return (isUpperCase ? byte | 0x20 : byte) == lowercaseByte
    }
}
