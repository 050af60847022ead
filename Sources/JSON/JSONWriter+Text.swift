extension JSONWriter {
    /// Appends a quoted JSON string.
    ///
    /// Escaped are `"`, `\`, everything below U+0020, DEL, the C1 controls U+0080 to U+009F (some begin a command of a
    /// terminal), U+2028, U+2029 (which end a line in JavaScript) and U+FEFF (which some parsers remove as a byte order
    /// mark). So a line of output stays one line, and a text is the same for every reader. All other bytes are copied
    /// unchanged, including non-ASCII characters.
    ///
    /// - Parameter text: valid UTF-8.
    public mutating func appendText(_ text: Span<UInt8>) {
        self.bytes.append(UInt8(ascii: "\""))
        let count = text.count
        var runStart = 0
        var index = 0
        while true {
            index = text.endOfPlainRun(from: index)
            guard index < count else { break }
            let escaped = text.controlSequence(at: index)
            guard escaped.length > 0 else {
                index += 1
                continue
            }
            self.bytes.append(copying: text.extracting(runStart..<index))
            self.appendEscape(escaped.scalar)
            index += escaped.length
            runStart = index
        }
        self.bytes.append(copying: text.extracting(runStart..<count))
        self.bytes.append(UInt8(ascii: "\""))
    }

    private mutating func appendEscape(_ scalar: UInt16) {
        self.bytes.append(UInt8(ascii: "\\"))
        switch scalar {
        case 0x22: self.bytes.append(UInt8(ascii: "\""))
        case 0x5C: self.bytes.append(UInt8(ascii: "\\"))
        case 0x08: self.bytes.append(UInt8(ascii: "b"))
        case 0x09: self.bytes.append(UInt8(ascii: "t"))
        case 0x0A: self.bytes.append(UInt8(ascii: "n"))
        case 0x0C: self.bytes.append(UInt8(ascii: "f"))
        case 0x0D: self.bytes.append(UInt8(ascii: "r"))
        default:
            self.bytes.append(UInt8(ascii: "u"))
            for shift: UInt16 in [12, 8, 4, 0] {
                let digit = UInt8(truncatingIfNeeded: (scalar >> shift) & 0xF)
                self.bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }

    /// A text that needs no escapes, without quotes.
    public mutating func append(text: String) {
        self.bytes.append(contentsOf: text.utf8)
    }

    /// A constant of the source, which needs no escapes.
    public mutating func append(_ text: StaticString) {
        // The pointer is used only for this copy.
        text.withUTF8Buffer { buffer in
            unsafe self.bytes.append(contentsOf: buffer)
        }
    }
}

extension Span<UInt8> {
    /// The index of the first byte at or after `index` that may need an escape: a control, a quote, a backslash, DEL,
    /// or the first byte of a character that ``controlSequence(at:)`` must examine. The number of bytes if there is
    /// none.
    fileprivate func endOfPlainRun(from index: Int) -> Int {
        // Each byte of the word is initialised.
        let bytes = unsafe self.bytes
        let count = self.count
        var index = index
        while index &+ 8 <= count {
            // Within the span, by the condition of the loop.
            let word = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
            if Self.isPlainASCII(word) {
                index &+= 8
                continue
            }
            let end = index &+ 8
            while index < end {
                // Within the span, like the word.
                if Self.mayNeedEscape(unsafe self[unchecked: index]) { return index }
                index &+= 1
            }
        }
        while index < count {
            // Within the span, by the condition of the loop.
            if Self.mayNeedEscape(unsafe self[unchecked: index]) { return index }
            index &+= 1
        }
        return index
    }

    /// Whether none of eight bytes is a control, a quote, a backslash, DEL or outside of ASCII.
    ///
    /// Each term has the top bit of a byte set if that byte matches. Bytes above a matching one may have it set
    /// wrongly, which does not change whether there is a match.
    private static func isPlainASCII(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let control = (word &- ones &* 0x20) & ~word
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let delete = word ^ (ones &* 0x7F)
        let found =
            control | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash) | ((delete &- ones) & ~delete)
            | word
        return found & (ones &* 0x80) == 0
    }

    private static func mayNeedEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == 0x22 || byte == 0x5C || byte == 0x7F || byte == 0xC2 || byte == 0xE2 || byte == 0xEF
    }

    /// The scalar at `index` that must be escaped, and its length in bytes: 0 if none must be.
    fileprivate func controlSequence(at index: Int) -> (scalar: UInt16, length: Int) {
        let byte = self[index]
        switch byte {
        case 0..<0x20, 0x22, 0x5C, 0x7F:
            return (UInt16(byte), 1)
        case 0xC2 where index + 1 < self.count && self[index + 1] < 0xA0:
            return (UInt16(self[index + 1]), 2)
        case 0xE2 where index + 2 < self.count && self[index + 1] == 0x80:
            let last = self[index + 2]
            return last == 0xA8 || last == 0xA9 ? (0x2000 | UInt16(last & 0x3F), 3) : (0, 0)
        case 0xEF where index + 2 < self.count && self[index + 1] == 0xBB && self[index + 2] == 0xBF:
            return (0xFEFF, 3)
        default:
            return (0, 0)
        }
    }
}
