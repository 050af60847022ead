/// Finds the end of a request's head in raw bytes, and refuses everything that a strict server must not accept.
///
/// Fields are parsed only after the head is complete, so that the result does not depend on the division into packets.
/// The scanner refuses input on which two parsers could disagree: a single line feed or carriage return, a field
/// continued on the next line, a malformed request line, and any size above the limits.
///
/// ```
/// start ──CRLF──▶ start            empty lines before a request are skipped
/// start ──byte──▶ requestLine ──CRLF──▶ lineStart ──byte──▶ field ──CRLF──▶ lineStart
///                                       lineStart ──CRLF──▶ end of the head
/// ```
public struct HeadScanner {
    public struct Limits {
        /// Maximum length of a request target, in bytes.
        public var targetBytes = 8_192
        /// Maximum of all field lines together, in bytes, including line ends.
        public var fieldBytes = 16_384
        public var fieldCount = 100

        public init() {}
    }

    public enum Verdict: Equatable, Sendable {
        /// Everything so far is valid; more bytes are needed.
        case incomplete
        /// The head ends before this offset in the given bytes, counted from the first byte of the head.
        case complete(length: Int)
        case refused(Refusal)
    }

    public enum Refusal: Equatable, Sendable {
        case bareLineFeed
        case bareCarriageReturn
        case nulByte
        case foldedField
        case requestLine
        case version
        case method
        case targetTooLong
        case fieldsTooLarge
        case tooManyFields
    }

    private enum Position {
        case start, requestLine, lineStart, field
    }

    private let limits: Limits
    private var position = Position.start
    /// Whether it has found the first byte of a request line, and not yet the end of the head.
    public var isInHead: Bool { self.position != .start }
    private var previousIsCarriageReturn = false
    /// Bytes of the head that have been scanned.
    private var scanned = 0
    private var fields = 0
    private(set) var line = RequestLineScanner()
    /// Start of the request line: after empty lines.
    private var lineBegin = 0
    /// Start of the fields, counted from the first byte of the head.
    private var fieldsBegin = 0

    public init(limits: Limits) {
        self.limits = limits
    }

    /// Range of the target in a complete head.
    public var target: Range<Int> {
        let begin = self.lineBegin + self.line.methodLength + 1
        return begin..<begin + self.line.targetLength
    }

    /// Range of the field lines in a complete head, without the empty line after them.
    var fieldLines: Range<Int> { self.fieldsBegin..<self.scanned - 2 }

    /// Prepares for the next head.
    public mutating func reset() {
        self = HeadScanner(limits: self.limits)
    }

    /// Continues with the head.
    ///
    /// - Parameter head: all bytes of the head so far and any bytes after it; those scanned before are not read again.
    mutating func scan(_ head: Span<UInt8>) -> Verdict {
        var index = self.scanned
        defer { self.scanned = index }
        while index < head.count {
            if !self.previousIsCarriageReturn { index = self.skip(head, from: index) }
            guard index < head.count else { break }
            let byte = head[index]
            index &+= 1
            if let verdict = self.take(byte, at: index) { return verdict }
        }
        return self.withinLimits(length: index) ?? .incomplete
    }

    /// Passes over bytes that change nothing but the length of what they belong to.
    ///
    /// - Returns: the offset of the next byte that ``take(_:at:)`` must process.
    private mutating func skip(_ head: Span<UInt8>, from index: Int) -> Int {
        switch self.position {
        case .field: ASCII.firstControl(in: head, from: index)
        case .requestLine: self.line.skip(head, from: index, targetLimit: self.limits.targetBytes)
        case .start, .lineStart: index
        }
    }

    /// Processes one byte that may change the position. `index` is the offset after it.
    private mutating func take(_ byte: UInt8, at index: Int) -> Verdict? {
        if self.previousIsCarriageReturn {
            self.previousIsCarriageReturn = false
            guard byte == UInt8(ascii: "\n") else { return .refused(.bareCarriageReturn) }
            return self.endLine(at: index)
        }
        switch byte {
        case UInt8(ascii: "\r"):
            self.previousIsCarriageReturn = true
            return nil
        case UInt8(ascii: "\n"): return .refused(.bareLineFeed)
        case 0: return .refused(.nulByte)
        default: break
        }
        switch self.position {
        case .start:
            self.position = .requestLine
            self.lineBegin = index - 1
            fallthrough
        case .requestLine:
            if let refusal = self.line.take(byte, targetLimit: self.limits.targetBytes) { return .refused(refusal) }
        case .lineStart:
            if ASCII.isBlank(byte) { return .refused(.foldedField) }
            self.position = .field
            self.fields += 1
            if self.fields > self.limits.fieldCount { return .refused(.tooManyFields) }
        case .field: break
        }
        return nil
    }

    /// A line ended; its line feed is the byte before `index`.
    private mutating func endLine(at index: Int) -> Verdict? {
        switch self.position {
        case .start:
            // Empty lines have no separate limit: they are part of the head's bytes.
            return self.withinLimits(length: index)
        case .requestLine:
            if let refusal = self.line.end() { return .refused(refusal) }
            self.position = .lineStart
            self.fieldsBegin = index
            return nil
        case .field:
            self.position = .lineStart
            return self.withinLimits(length: index)
        case .lineStart:
            return self.withinLimits(length: index - 2) ?? .complete(length: index)
        }
    }

    private func withinLimits(length: Int) -> Verdict? {
        length - self.fieldsBegin - (self.fieldsBegin == 0 ? self.limits.targetBytes + 64 : 0) > self.limits.fieldBytes
            ? .refused(.fieldsTooLarge) : nil
    }
}
