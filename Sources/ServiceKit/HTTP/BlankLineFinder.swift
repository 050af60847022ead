/// Finds `CR LF CR LF` in a stream of bytes that may be cut anywhere: the end of a chunked body is always one.
struct BlankLineFinder {
    /// How many bytes of the four have just been seen.
    private var matched = 0

    /// - Returns: the offset behind the first blank line, nil if there is none; the state then carries over.
    mutating func endOfBlankLine(in bytes: Span<UInt8>) -> Int? {
        for index in bytes.indices {
            switch (bytes[index], self.matched) {
            case (UInt8(ascii: "\r"), 2): self.matched = 3
            case (UInt8(ascii: "\r"), _): self.matched = 1
            case (UInt8(ascii: "\n"), 1): self.matched = 2
            case (UInt8(ascii: "\n"), 3):
                self.matched = 0
                return index + 1
            default: self.matched = 0
            }
        }
        return nil
    }
}
