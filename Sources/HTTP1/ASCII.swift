import Glibc

/// Small comparisons of ASCII text as HTTP requires: letters ignore case, everything else matches exactly.
public enum ASCII {
    /// Digits as a number of 64 bits: at least one, and nothing else. Nil for any other text.
    public static func unsigned(_ digits: Span<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for index in digits.indices {
            let digit = digits[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (product, overflowed) = number.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(UInt64(digit))
            guard !overflowed, !carried else { return nil }
            number = sum
        }
        return digits.isEmpty ? nil : number
    }

    /// Whether `text` is `lowercase`, letters compared without case.
    public static func equal(_ text: String, _ lowercase: StaticString) -> Bool {
        self.equal(text.utf8.span, lowercase)
    }

    public static func equal(_ text: Span<UInt8>, _ lowercase: StaticString) -> Bool {
        let count = lowercase.utf8CodeUnitCount
        guard text.count == count else { return false }
        // A constant of the program: its pointer is always valid, and the index is below its length.
        let wanted = unsafe lowercase.utf8Start
        for index in 0..<count {
            guard unsafe self.lowercase(text[index]) == wanted[index] else { return false }
        }
        return true
    }

    /// Whether two constants of the program are equal.
    public static func same(_ one: StaticString, _ other: StaticString) -> Bool {
        guard one.utf8CodeUnitCount == other.utf8CodeUnitCount else { return false }
        // Most often the same literal. Both pointers are to constants of the program, with the compared length.
        return unsafe one.utf8Start == other.utf8Start
            || memcmp(one.utf8Start, other.utf8Start, one.utf8CodeUnitCount) == 0
    }

    /// Whether the bytes equal those of `wanted`.
    public static func identical(_ bytes: Span<UInt8>, _ wanted: StaticString) -> Bool {
        guard bytes.count == wanted.utf8CodeUnitCount else { return false }
        // A constant of the program: its pointer is always valid, and the index is below its length.
        for index in bytes.indices where unsafe bytes[index] != wanted.utf8Start[index] { return false }
        return true
    }

    public static func lowercase(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    public static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    /// The text without white space at its ends.
    public static func trimmed(_ text: Span<UInt8>) -> Range<Int> {
        var begin = 0
        var end = text.count
        while begin < end, self.isBlank(text[begin]) { begin += 1 }
        while end > begin, self.isBlank(text[end - 1]) { end -= 1 }
        return begin..<end
    }

    /// The elements of a list separated by commas, without the white space around them.
    public static func forEachElement(of list: Span<UInt8>, _ body: (Span<UInt8>) -> Void) {
        var begin = 0
        while begin <= list.count {
            var end = begin
            while end < list.count, list[end] != UInt8(ascii: ",") { end += 1 }
            let part = list.extracting(begin..<end)
            body(part.extracting(self.trimmed(part)))
            begin = end + 1
        }
    }

    /// The bytes as a string; invalid UTF-8 is replaced.
    public static func string(_ bytes: Span<UInt8>) -> String {
        unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    public static func isToken(_ text: Span<UInt8>) -> Bool {
        for index in text.indices where !self.isTokenCharacter(text[index]) { return false }
        return !text.isEmpty
    }

    public static func isFieldValue(_ text: Span<UInt8>) -> Bool {
        for index in text.indices where !self.isFieldCharacter(text[index]) { return false }
        return true
    }

    /// Whether the byte may be in a field's value: no control character except the tab.
    static func isFieldCharacter(_ byte: UInt8) -> Bool {
        byte >= 0x20 ? byte != 0x7F : byte == UInt8(ascii: "\t")
    }

    /// Whether the byte may be in a token of RFC 9110, section 5.6.2: methods, field names.
    @inline(__always) public static func isTokenCharacter(_ byte: UInt8) -> Bool {
        // One bit for each character: those below 64, and those from 64 on.
        let bits: UInt64 = byte < 64 ? 0x03FF_6CFA_0000_0000 : 0x57FF_FFFF_C7FF_FFFE
        return byte < 128 && bits &>> UInt64(byte & 63) & 1 == 1
    }

    /// The index of the first byte of this value; nil if there is none in the range.
    public static func first(_ character: Unicode.Scalar, in text: Span<UInt8>, from begin: Int, before end: Int)
        -> Int?
    {
        let part = text.extracting(begin..<end)
        // The pointer is used only for this search, within the part's bounds.
        return unsafe part.withUnsafeBytes { part in
            guard let base = part.baseAddress,
                let found = unsafe memchr(base, Int32(bitPattern: character.value), part.count)
            else { return nil }
            return unsafe begin + (UnsafeRawPointer(found) - base)
        }
    }

    /// The index of the first byte from `index` on that is a control character, a tab included; the number of bytes if
    /// there is none.
    public static func firstControl(in text: Span<UInt8>, from index: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var index = index
        let bytes = unsafe text.bytes
        while index &+ 8 <= text.count {
            // Within the span, by the condition of the loop.
            let word = unsafe UInt64(
                littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self))
            // The highest bit of each byte below 0x20 or equal to 0x7F; a borrow may mark bytes above the first one too.
            let delete = word ^ (ones &* 0x7F)
            let marks = (((word &- ones &* 0x20) & ~word) | ((delete &- ones) & ~delete)) & (ones &* 0x80)
            if marks != 0 { return index &+ marks.trailingZeroBitCount / 8 }
            index &+= 8
        }
        while index < text.count {
            let byte = text[index]
            if byte < 0x20 || byte == 0x7F { return index }
            index &+= 1
        }
        return index
    }

    /// Whether the byte is a visible character: not a space, a control, or outside of ASCII. Other bytes in a target could
    /// reach the handlers changed, or be ambiguous.
    @inline(__always) static func isVisible(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7F }

    /// The index of the first byte in a range that is not visible; the end of the range if there is none.
    static func firstInvisible(in text: Span<UInt8>, from begin: Int, before end: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var index = begin
        let bytes = unsafe text.bytes
        while index &+ 8 <= end, end <= text.count {
            // Within the span, by the condition of the loop.
            let word = unsafe UInt64(
                littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self))
            // The highest bit of each byte that is not visible; a borrow or a carry may mark bytes above the first one too.
            let marks = ((word &- ones &* 0x21) | (word &+ ones) | word) & (ones &* 0x80)
            if marks != 0 { return index &+ marks.trailingZeroBitCount / 8 }
            index &+= 8
        }
        while index < end, self.isVisible(text[index]) { index &+= 1 }
        return index
    }

    /// Whether the bytes begin with `text`: eight are compared at once. Inlined into other modules too, where the text is
    /// known and its loop disappears.
    ///
    /// - Parameter mask: bits that do not count, in each of eight bytes. They are set in `text`.
    @inlinable @inline(__always) public static func begins(
        _ bytes: Span<UInt8>, with text: StaticString, mask: UInt64 = 0
    ) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count >= count else { return false }
        // A constant of the program: its pointer is always valid. Eight bytes are loaded below `count`, which is
        // within the span.
        let wanted = unsafe UnsafeRawPointer(text.utf8Start)
        var index = 0
        while index &+ 8 <= count {
            let word = unsafe bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
            guard unsafe word | mask == wanted.loadUnaligned(fromByteOffset: index, as: UInt64.self) else {
                return false
            }
            index &+= 8
        }
        while index < count {
            let byte = bytes[index] | UInt8(truncatingIfNeeded: mask)
            guard unsafe byte == wanted.load(fromByteOffset: index, as: UInt8.self) else { return false }
            index &+= 1
        }
        return true
    }

    /// `[A-Za-z0-9._-]`: the characters of a request id.
    public static func isIdentifierCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Checks the characters of `host [":" port]`; the name of the host makes no difference to this server. It may be
    /// empty: a client sends that if its target has no authority (RFC 9112, section 3.2), such as a load balancer's
    /// check.
    public static func isHost(_ host: Span<UInt8>) -> Bool {
        for index in host.indices {
            let byte = host[index]
            // One bit for each character of a token but `#`, `^`, `` ` `` and `|`, and for each of `:[]();=`.
            let bits: UInt64 = byte < 64 ? 0x2FFF_6FF2_0000_0000 : 0x47FF_FFFE_AFFF_FFFE
            guard byte < 128, bits &>> UInt64(byte & 63) & 1 == 1 else { return false }
        }
        return true
    }
}
