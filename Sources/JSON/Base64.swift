/// Base64 with the standard alphabet and padding (RFC 4648, section 4).
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    /// Values of the alphabet's characters; 64 or more for every other byte.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in Self.alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    /// The alphabet for addresses and without padding (RFC 4648, section 5).
    public static func encodeForURL(_ bytes: [UInt8]) -> String {
        let text = self.encode(bytes).utf8.lazy.filter { $0 != self.padding }.map { byte in
            byte == UInt8(ascii: "+") ? UInt8(ascii: "-") : byte == UInt8(ascii: "/") ? UInt8(ascii: "_") : byte
        }
        return String(decoding: Array(text), as: UTF8.self)
    }

    /// - Returns: nil unless the text is exactly the result of ``encodeForURL(_:)`` for some bytes.
    public static func decodeForURL(_ text: [UInt8]) -> [UInt8]? {
        if text.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "/") || $0 == self.padding }) {
            return nil
        }
        let standard = text.map { byte in
            byte == UInt8(ascii: "-") ? UInt8(ascii: "+") : byte == UInt8(ascii: "_") ? UInt8(ascii: "/") : byte
        }
        return self.decode(standard + Array(repeating: self.padding, count: (4 - text.count % 4) % 4))
    }

    public static func encode(_ bytes: [UInt8]) -> String {
        let alphabet = Self.alphabet
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count - index)
            var group: UInt32 = 0
            for place in 0..<3 {
                group = group << 8 | (place < count ? UInt32(bytes[index + place]) : 0)
            }
            for place in 0..<4 {
                text.append(
                    place <= count ? alphabet[Int(group >> (18 - 6 * UInt32(place))) & 63] : Self.padding
                )
            }
            index += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// - Returns: nil unless the text is exactly the result of ``encode(_:)`` for some bytes: no white space, no other
    ///   alphabet, padding to a multiple of four, no extra bits in the last character.
    public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        let values = Self.values
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        var place = 0
        var paddings = 0
        for character in text {
            let value = values[Int(character)]
            if value < 64, paddings == 0 {
                group = group << 6 | UInt32(value)
            } else if character == Self.padding, place >= 2 {
                // Only in the last group: a character after padding was refused above.
                paddings += 1
                group <<= 6
            } else {
                return nil
            }
            place += 1
            guard place == 4 else { continue }
            guard group & (1 << (8 * UInt32(paddings)) - 1) == 0 else { return nil }
            for byte in 0..<(3 - paddings) {
                bytes.append(UInt8(truncatingIfNeeded: group >> (16 - 8 * UInt32(byte))))
            }
            group = 0
            place = 0
        }
        return bytes
    }
}
