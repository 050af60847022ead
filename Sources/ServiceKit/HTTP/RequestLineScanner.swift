/// The shape of a request line, byte by byte: `method SP target SP HTTP/digit.digit`, one blank each, nothing else.
struct RequestLineScanner {
    private enum Part {
        case method, target, version
    }

    /// Longest method that is waited for; every method this server knows is shorter.
    private static let methodLimit = 24
    private static let versionPrefix: StaticString = "HTTP/"

    private var part = Part.method
    /// Bytes of the current part.
    private var length = 0
    /// The method's first eight characters, as an integer: enough to tell the known ones apart.
    private var methodText: UInt64 = 0
    private var major: UInt8 = 0
    private var minor: UInt8 = 0

    /// - Returns: why the line is refused, nil while it is fine.
    mutating func take(_ byte: UInt8, targetLimit: Int) -> HeadScanner.Refusal? {
        switch self.part {
        case .method:
            if byte == UInt8(ascii: " "), self.length > 0 {
                self.begin(.target)
                return nil
            }
            guard ASCII.isTokenCharacter(byte), self.length < Self.methodLimit else { return .requestLine }
            if self.length < 8 { self.methodText = self.methodText << 8 | UInt64(byte) }
        case .target:
            if byte == UInt8(ascii: " "), self.length > 0 {
                self.begin(.version)
                return nil
            }
            // Visible ASCII only: a target with other bytes would reach the handlers changed, or mean two things.
            guard byte > 0x20, byte < 0x7F else { return .requestLine }
            guard self.length < targetLimit else { return .targetTooLong }
        case .version:
            guard self.takeVersion(byte) else { return .requestLine }
        }
        self.length &+= 1
        return nil
    }

    /// The line has ended.
    func end() -> HeadScanner.Refusal? {
        guard self.part == .version, self.length == 8 else { return .requestLine }
        guard self.major == UInt8(ascii: "1"), self.minor == UInt8(ascii: "0") || self.minor == UInt8(ascii: "1") else {
            return .version
        }
        return self.isKnownMethod ? nil : .method
    }

    private mutating func begin(_ part: Part) {
        if part == .target { self.methodLength = self.length }
        self.part = part
        self.length = 0
    }

    private var methodLength = 0

    private mutating func takeVersion(_ byte: UInt8) -> Bool {
        switch self.length {
        case 0..<5: return unsafe byte == Self.versionPrefix.utf8Start[self.length]
        case 5:
            self.major = byte
            return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
        case 6: return byte == UInt8(ascii: ".")
        case 7:
            self.minor = byte
            return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
        default: return false
        }
    }

    /// Methods are case-sensitive. CONNECT is left out: this server is no tunnel.
    private var isKnownMethod: Bool {
        guard self.methodLength <= 8 else { return false }
        switch self.methodText {
        case Self.packed("GET"), Self.packed("HEAD"), Self.packed("POST"), Self.packed("PUT"), Self.packed("DELETE"),
            Self.packed("OPTIONS"), Self.packed("PATCH"), Self.packed("TRACE"):
            return true
        default: return false
        }
    }

    private static func packed(_ method: StaticString) -> UInt64 {
        method.withUTF8Buffer { bytes in
            unsafe bytes.reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
