/// Finds the end of a request's head in raw bytes, and refuses on the way what no strict server may take.
///
/// Fields are looked at only when the head is whole, so that nothing depends on how the bytes were cut into packets.
/// What is refused here are the places where two parsers of one connection come to disagree: a line feed or
/// a carriage return alone, a field continued on the next line, a request line of another shape, and any size beyond
/// the limits.
///
/// ```
/// start ──CRLF──▶ start            empty lines before a request are skipped
/// start ──byte──▶ requestLine ──CRLF──▶ lineStart ──byte──▶ field ──CRLF──▶ lineStart
///                                       lineStart ──CRLF──▶ end of the head
/// ```
package struct HeadScanner {
    package struct Limits {
        /// Longest request target, in bytes.
        package var targetBytes = 8_192
        /// All field lines together, in bytes, line ends included.
        package var fieldBytes = 16_384
        package var fieldCount = 100

        package init() {}
    }

    package enum Verdict: Equatable {
        /// Everything scanned so far is fine; more is needed.
        case incomplete
        /// The head ends before this offset of the bytes last given, counted from the first byte of the head.
        case complete(length: Int)
        case refused(Refusal)
    }

    package enum Refusal: Equatable {
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
    private var previousIsCarriageReturn = false
    /// Bytes of the head that have been scanned.
    private var scanned = 0
    private var fields = 0
    private(set) var line = RequestLineScanner()
    /// Where the request line begins: behind empty lines.
    private var lineBegin = 0
    /// Where the fields begin, counted from the first byte of the head.
    private var fieldsBegin = 0

    package init(limits: Limits) {
        self.limits = limits
    }

    /// Of a complete head: where its target is.
    package var target: Range<Int> {
        let begin = self.lineBegin + self.line.methodLength + 1
        return begin..<begin + self.line.targetLength
    }

    /// Of a complete head: where its field lines are, without the empty line behind them.
    var fieldLines: Range<Int> { self.fieldsBegin..<self.scanned - 2 }

    /// Makes ready for the next head.
    package mutating func reset() {
        self = HeadScanner(limits: self.limits)
    }

    /// Goes on with the head.
    ///
    /// - Parameter head: all bytes of the head so far and whatever follows; those scanned before are not read again.
    mutating func scan(_ head: Span<UInt8>) -> Verdict {
        var index = self.scanned
        defer { self.scanned = index }
        while index < head.count {
            let byte = head[index]
            index &+= 1
            if byte > 0x20, !self.previousIsCarriageReturn, self.position == .field { continue }
            if let verdict = self.take(byte, at: index) { return verdict }
        }
        return self.withinLimits(length: index) ?? .incomplete
    }

    /// One byte that may change the position. `index` is the offset behind it.
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
            // Empty lines don't count against a limit of their own: they are part of the head's bytes.
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
