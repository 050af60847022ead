import JSON

/// Parses a chunked body (RFC 9112, section 7.1), however it is divided into packets.
///
/// As strict as ``HeadScanner``: every line ends with CR LF, a chunk's size is only hexadecimal digits, and extensions
/// and trailers are checked for invalid characters and then dropped. The owner limits their size by the number of bytes
/// read.
///
/// ```
/// size ──";"──▶ extension ──CRLF──▶ data ──last byte, CRLF──▶ size
///   └──CRLF──▶ data      size 0 ──CRLF──▶ trailerStart ──CRLF──▶ end
///                                         trailerStart ──byte──▶ trailerName ──":"──▶ trailerValue ──CRLF──▶ trailerStart
/// ```
struct ChunkedBodyDecoder {
    enum Step: Equatable {
        /// All bytes were read, and the body continues.
        case more
        /// The next bytes, this many, are data; read them and call ``tookData(_:)``.
        case data(Int)
        case end
        case refused
    }

    private enum Position {
        case size, extensions, data, dataEnd, trailerStart, trailerName, trailerValue, end
    }

    /// A size with more digits than this, without leading zeros, is invalid for any body.
    private static let digitLimit = 15

    private var position = Position.size
    private var previousIsCarriageReturn = false
    /// Size of the chunk, then the rest of it.
    private var remaining = 0
    /// Digits of the size without leading zeros, and whether there was any digit.
    private var digits = 0
    private var hasDigit = false

    /// Continues with the body.
    ///
    /// - Parameter bytes: the bytes that follow those read before.
    /// - Returns: how many of the bytes were read, and what comes next.
    mutating func take(_ bytes: Span<UInt8>) -> (taken: Int, step: Step) {
        var index = 0
        while index < bytes.count {
            if self.position == .data, self.remaining > 0 {
                return (index, .data(min(self.remaining, bytes.count - index)))
            }
            let byte = bytes[index]
            index += 1
            guard self.take(byte) else { return (index, .refused) }
            if self.position == .end { return (index, .end) }
        }
        return (index, .more)
    }

    mutating func tookData(_ count: Int) {
        self.remaining -= count
        if self.remaining == 0 { self.position = .dataEnd }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        if self.previousIsCarriageReturn {
            self.previousIsCarriageReturn = false
            guard byte == UInt8(ascii: "\n") else { return false }
            self.endLine()
            return true
        }
        if byte == UInt8(ascii: "\r") {
            self.previousIsCarriageReturn = true
            return self.mayEndLine
        }
        switch self.position {
        case .size:
            if byte == UInt8(ascii: ";"), self.hasDigit {
                self.position = .extensions
                return true
            }
            return self.take(digit: byte)
        case .extensions, .trailerValue: return ASCII.isFieldCharacter(byte)
        case .trailerStart:
            self.position = .trailerName
            return ASCII.isTokenCharacter(byte)
        case .trailerName:
            if byte == UInt8(ascii: ":") {
                self.position = .trailerValue
                return true
            }
            return ASCII.isTokenCharacter(byte)
        case .data, .dataEnd, .end: return false
        }
    }

    private var mayEndLine: Bool {
        switch self.position {
        case .size: self.hasDigit
        case .extensions, .dataEnd, .trailerStart, .trailerValue: true
        case .data, .trailerName, .end: false
        }
    }

    private mutating func endLine() {
        switch self.position {
        case .size, .extensions:
            self.position = self.remaining == 0 ? .trailerStart : .data
            self.digits = 0
            self.hasDigit = false
        case .dataEnd: self.position = .size
        case .trailerValue: self.position = .trailerStart
        case .trailerStart: self.position = .end
        case .data, .trailerName, .end: preconditionFailure("a line ended where none can")
        }
    }

    private mutating func take(digit: UInt8) -> Bool {
        guard let value = HexDigits.value(ofDigit: digit) else { return false }
        self.hasDigit = true
        if self.digits > 0 || value > 0 { self.digits += 1 }
        self.remaining = self.remaining << 4 | Int(value)
        return self.digits <= Self.digitLimit
    }
}
