/// Checks a request line byte by byte: `method SP target SP HTTP/digit.digit`, with single spaces and nothing else.
struct RequestLineScanner {
    private enum Part {
        case method, target, version
    }

    /// Maximum length of a method; every method that this server knows is shorter.
    private static let methodLimit = 24
    private static let versionPrefix: StaticString = "HTTP/"

    private var part = Part.method
    /// Bytes of the current part.
    private var length = 0
    /// The method's first eight characters as an integer: enough to distinguish the known ones.
    private var methodText: UInt64 = 0
    private var major: UInt8 = 0
    private var minor: UInt8 = 0
    private(set) var methodLength = 0
    private(set) var targetLength = 0

    /// Takes valid bytes of the method, the target or the version, as many as there are.
    ///
    /// - Returns: the offset of the first byte that ends the part or is not valid.
    mutating func skip(_ line: Span<UInt8>, from begin: Int, targetLimit: Int) -> Int {
        var index = begin
        switch self.part {
        case .method:
            let end = min(line.count, begin &+ (Self.methodLimit - self.length))
            while index < end, ASCII.isTokenCharacter(line[index]) {
                if self.length < 8 { self.methodText = self.methodText << 8 | UInt64(line[index]) }
                self.length &+= 1
                index &+= 1
            }
        case .target:
            let end = min(line.count, begin &+ (targetLimit - self.length))
            index = ASCII.firstInvisible(in: line, from: begin, before: end)
            self.length &+= index &- begin
        case .version:
            if self.length == 0, ASCII.begins(line.extracting(index..<line.count), with: "HTTP/1.1") {
                (self.major, self.minor, self.length) = (UInt8(ascii: "1"), UInt8(ascii: "1"), 8)
                return index &+ 8
            }
            while index < line.count, self.takeVersion(line[index]) {
                self.length &+= 1
                index &+= 1
            }
        }
        return index
    }

    /// - Returns: why the line is refused; nil while it is valid.
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
            guard ASCII.isVisible(byte) else { return .requestLine }
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
        guard self.major == UInt8(ascii: "1"), self.isHTTP11 || self.minor == UInt8(ascii: "0") else { return .version }
        return self.method == .other ? .method : nil
    }

    private mutating func begin(_ part: Part) {
        if part == .target { self.methodLength = self.length } else { self.targetLength = self.length }
        self.part = part
        self.length = 0
    }

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

    var isHTTP11: Bool { self.minor == UInt8(ascii: "1") }

    /// Methods are case-sensitive. CONNECT is missing: this server is not a proxy.
    var method: RequestMethod {
        guard self.methodLength <= 8 else { return .other }
        return switch self.methodText {
        case Self.packed("GET"): .get
        case Self.packed("HEAD"): .head
        case Self.packed("POST"): .post
        case Self.packed("PUT"): .put
        case Self.packed("DELETE"): .delete
        case Self.packed("OPTIONS"): .options
        case Self.packed("PATCH"): .patch
        case Self.packed("TRACE"): .trace
        default: .other
        }
    }

    private static func packed(_ method: StaticString) -> UInt64 {
        method.withUTF8Buffer { bytes in
            unsafe bytes.reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
