/// The header of one file in a tar archive: 512 bytes, in the form that POSIX calls ustar. Any tar program reads it.
struct TarHeader: Equatable {
    static let blockBytes = 512
    /// What eleven octal digits can say.
    static let mostBytes: UInt64 = 0o77_777_777_777
    static let longestName = 100

    var name: String
    /// Of the file's content.
    var bytes: UInt64
    /// Seconds since 1970.
    var modifiedAt: UInt64

    /// The blocks that a content takes.
    static func paddedBytes(_ bytes: UInt64) -> UInt64 {
        (bytes + UInt64(self.blockBytes) - 1) / UInt64(self.blockBytes) * UInt64(self.blockBytes)
    }

    /// - Precondition: name and size are within the limits above.
    func encoded() -> [UInt8] {
        precondition(self.name.utf8.count <= Self.longestName && self.bytes <= Self.mostBytes)
        var block = [UInt8](repeating: 0, count: Self.blockBytes)
        func put(_ text: String, at offset: Int) {
            block.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        put(self.name, at: 0)
        put(Self.octal(0o600, digits: 7), at: 100)
        put(Self.octal(0, digits: 7), at: 108)
        put(Self.octal(0, digits: 7), at: 116)
        put(Self.octal(self.bytes, digits: 11), at: 124)
        put(Self.octal(min(self.modifiedAt, Self.mostBytes), digits: 11), at: 136)
        put("0", at: 156)
        put("ustar\u{0}00", at: 257)
        put(Self.octal(Self.checksum(block), digits: 6) + "\u{0} ", at: 148)
        return block
    }

    /// Nil if it is not the header of a regular file, just as it is written here.
    init?(decoding block: [UInt8]) {
        guard block.count == Self.blockBytes,
            let bytes = Self.number(block[124..<136]), let modifiedAt = Self.number(block[136..<148])
        else { return nil }
        self.init(
            name: String(decoding: block[0..<Self.longestName].prefix { $0 != 0 }, as: UTF8.self), bytes: bytes,
            modifiedAt: modifiedAt)
        guard bytes <= Self.mostBytes, self.name.utf8.count <= Self.longestName, self.encoded() == block else {
            return nil
        }
    }

    init(name: String, bytes: UInt64, modifiedAt: UInt64) {
        self.name = name
        self.bytes = bytes
        self.modifiedAt = modifiedAt
    }

    private static func octal(_ value: UInt64, digits: Int) -> String {
        let text = String(value, radix: 8)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }

    private static func number(_ field: ArraySlice<UInt8>) -> UInt64? {
        let digits = field.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
        return UInt64(String(decoding: digits, as: UTF8.self), radix: 8)
    }

    /// The sum of all bytes, with spaces in place of the checksum itself.
    private static func checksum(_ block: [UInt8]) -> UInt64 {
        block.indices.reduce(0) { $0 + UInt64((148..<156).contains($1) ? UInt8(ascii: " ") : block[$1]) }
    }
}
