/// Filters escape sequences out of the input that the terminal's description does not contain, such as those of a
/// modified key or an answer of the terminal. Otherwise their letters and digits would be taken for keys.
///
/// ncurses returns known sequences as keys, and all others byte by byte, starting with ESC. A key with Alt arrives as
/// ESC and the key, and does nothing. Pasted text, if the terminal marks it, is text for the edited line and never a
/// key.
public struct KeySequences: Sendable {
    /// What ncurses has read.
    public enum Input: Sendable, Equatable {
        case scalar(Unicode.Scalar)
        /// A known key or click, or a known one without a function here.
        case known(Key?)
    }

    private enum State: Equatable {
        case ground
        /// After ESC: alone it is the key Esc.
        case escape
        /// After `ESC [`, up to its final byte. The relevant part so far.
        case control(String)
        /// After `ESC O`.
        case single
        /// This many bytes still belong to the sequence.
        case rest(Int)
        /// After `ESC ]` and similar: a text up to BEL or `ESC \`.
        case text
        case textEscape
        /// Inside pasted text, and how much of its end marker has arrived.
        case paste(matched: Int)
    }

    /// An ESC without a following byte for this time is the key.
    public static let escapeSeconds = 0.03
    /// An incomplete sequence, or a text without an end, delays keys for at most this time.
    static let patienceSeconds = 1.0
    private static let pasteEnd = Array("\u{1B}[201~".unicodeScalars)

    private var state = State.ground
    /// Times of the newest part of the sequence and of its start; monotonic seconds.
    private var lastAt = 0.0
    private var beganAt = 0.0

    public init() {}

    /// When ``expire(now:)`` must be called if no input arrives before; nil if nothing waits.
    public var deadline: Double? { self.state == .escape ? self.lastAt + Self.escapeSeconds : nil }

    /// Ends an incomplete sequence.
    ///
    /// - Returns: the key Esc, if it was only an ESC.
    public mutating func expire(now: Double) -> Key? {
        switch self.state {
        case .ground: return nil
        case .escape:
            guard now >= self.lastAt + Self.escapeSeconds else { return nil }
            self.state = .ground
            return .escape
        case .text, .textEscape:
            // Answers of a terminal arrive at once; after Alt-], an operator continues with keys.
            if now >= self.beganAt + Self.patienceSeconds { self.state = .ground }
        case .control, .single, .rest, .paste:
            if now >= self.lastAt + Self.patienceSeconds { self.state = .ground }
        }
        return nil
    }

    /// Processes the next input. Call ``expire(now:)`` before.
    ///
    /// - Returns: the key; nil while it is part of a sequence.
    public mutating func take(_ input: Input, now: Double) -> Key? {
        if self.state == .ground { self.beganAt = now }
        self.lastAt = now
        switch (self.state, input) {
        case (.ground, .known(let key)): return key
        case (.ground, .scalar(let scalar)): return self.begin(scalar)
        case (.escape, .known):
            // With Alt.
            self.state = .ground
            return nil
        case (.paste, .known): return nil
        case (_, .known(let key)):
            self.state = .ground
            return key
        case (.paste(let matched), .scalar(let scalar)): return self.paste(scalar, matched)
        case (_, .scalar("\u{03}")):
            // Ctrl-C is never part of a sequence.
            self.state = .ground
            return .control("c")
        case (_, .scalar(let scalar)):
            self.goOn(scalar)
            return nil
        }
    }

    private mutating func begin(_ scalar: Unicode.Scalar) -> Key? {
        switch scalar {
        case "\u{1B}": self.state = .escape
        // The same as one character, from terminals with 8-bit controls.
        case "\u{9B}": self.state = .control("")
        case "\u{8F}": self.state = .single
        case "\u{90}", "\u{98}", "\u{9D}", "\u{9E}", "\u{9F}": self.state = .text
        case "\t": return .tab
        case "\n", "\r": return .enter
        case "\u{7F}": return .backspace
        default: return .character(scalar)
        }
        return nil
    }

    private mutating func goOn(_ scalar: Unicode.Scalar) {
        switch self.state {
        case .ground, .paste: break
        case .escape: self.afterEscape(scalar)
        case .control(let begin): self.control(begin, scalar)
        case .single: if !(0x30...0x3F).contains(scalar.value) { self.state = .ground }
        case .rest(let count): self.state = count > 1 ? .rest(count - 1) : .ground
        case .text:
            switch scalar {
            case "\u{07}", "\u{18}", "\u{1A}", "\u{9C}": self.state = .ground
            case "\u{1B}": self.state = .textEscape
            default: break
            }
        case .textEscape: if scalar == "\\" { self.state = .ground } else { self.afterEscape(scalar) }
        }
    }

    private mutating func afterEscape(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "[": self.state = .control("")
        case "O": self.state = .single
        case "]", "P", "_", "^", "X": self.state = .text
        case "\u{1B}": self.state = .escape
        default: self.state = .ground
        }
    }

    private mutating func control(_ begin: String, _ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x20...0x3F: if begin.utf8.count < 8 { self.state = .control(begin + String(scalar)) }
        // A function key of the Linux console: `ESC [ [ A`.
        case 0x5B where begin.isEmpty: self.state = .rest(1)
        // A click in the oldest encoding: three more bytes.
        case 0x4D where begin.isEmpty: self.state = .rest(3)
        case 0x7E where begin == "200": self.state = .paste(matched: 0)
        case 0x1B: self.state = .escape
        default: self.state = .ground
        }
    }

    private mutating func paste(_ scalar: Unicode.Scalar, _ matched: Int) -> Key? {
        if scalar == Self.pasteEnd[matched] {
            self.state = matched + 1 == Self.pasteEnd.count ? .ground : .paste(matched: matched + 1)
            return nil
        }
        self.state = .paste(matched: scalar == Self.pasteEnd[0] ? 1 : 0)
        return matched == 0 && scalar.value >= 0x20 ? .pasted(scalar) : nil
    }
}
