import Crypto
import JSON

/// The secret by which a service knows a client: `txk_` and 43 characters, which are 32 random bytes in base64url.
///
/// Services keep its digest only. Never write one to a log.
public struct AccessKey: Sendable {
    public static let prefix = "txk_"
    static let characters = 47

    public let text: String

    /// A new one.
    public static func random() -> AccessKey {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return AccessKey(text: self.prefix + Base64.encodeForURL(bytes))
    }

    private init(text: String) { self.text = text }

    public var digest: AccessDigest {
        guard let digest = AccessDigest(ofKey: self.text.utf8.span) else {
            preconditionFailure("an access key without the form of one")
        }
        return digest
    }
}

/// The SHA-256 of an access key's text.
public struct AccessDigest: Hashable, Sendable {
    /// Big-endian, from the first byte on.
    let words: InlineArray<4, UInt64>

    init(words: InlineArray<4, UInt64>) { self.words = words }

    /// - Returns: nil for a text that has not the form of an access key.
    public init?(ofKey text: Span<UInt8>) {
        guard Self.isKey(text) else { return nil }
        var hash = SHA256()
        // The pointer is used only for this call.
        unsafe text.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        var words: InlineArray<4, UInt64> = [0, 0, 0, 0]
        for (index, byte) in hash.finalize().enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
        self.words = words
    }

    private static func isKey(_ text: Span<UInt8>) -> Bool {
        guard text.count == AccessKey.characters else { return false }
        var differences: UInt8 = 0
        for (index, character) in AccessKey.prefix.utf8.enumerated() { differences |= text[index] ^ character }
        for index in AccessKey.prefix.utf8.count..<text.count {
            switch text[index] {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                continue
            default: return false
            }
        }
        return differences == 0
    }

    /// - Parameter digits: 64 lowercase hexadecimal digits.
    init?(digits: Span<UInt8>) {
        guard digits.count == 64 else { return nil }
        var words: InlineArray<4, UInt64> = [0, 0, 0, 0]
        for index in 0..<4 {
            guard let word = HexDigits.value(of: digits.extracting(16 * index..<16 * (index + 1))) else { return nil }
            words[index] = word
        }
        self.words = words
    }

    /// 64 hexadecimal digits.
    public var digits: String { (0..<4).map { HexDigits.text(self.words[$0]) }.joined() }

    /// Takes the same time wherever the two differ.
    public static func == (left: Self, right: Self) -> Bool {
        var differences: UInt64 = 0
        for index in 0..<4 { differences |= left.words[index] ^ right.words[index] }
        return differences == 0
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(self.words[0]) }
}

/// Comparisons whose time does not tell where two texts differ.
public enum ConstantTime {
    /// The lengths are no secret.
    public static func isEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        // The pointers are used only for this call.
        return unsafe left.withUnsafeBytes { left in
            unsafe right.withUnsafeBytes { right in unsafe self.differences(left, right) == 0 }
        }
    }

    /// - Precondition: both have one length.
    @inline(__always)
    private static func differences(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> UInt64 {
        let count = left.count
        var differences: UInt64 = 0
        guard count >= 8 else {
            for index in 0..<count { differences |= unsafe UInt64(left[index] ^ right[index]) }
            return differences
        }
        // Eight bytes at a time; the last eight may overlap those before.
        var index = 0
        while index < count &- 8 {
            differences |= unsafe self.word(left, index) ^ self.word(right, index)
            index &+= 8
        }
        return unsafe differences | (self.word(left, count &- 8) ^ self.word(right, count &- 8))
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }
}
