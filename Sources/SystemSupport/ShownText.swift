extension String {
    /// Maximum bytes that are shown or kept of a text from outside.
    static let shownBytes = 256

    /// The shown part of such a text: its first ``shownBytes``, cut at a character boundary.
    public var shownPart: String {
        guard self.utf8.count > Self.shownBytes else { return self }
        var end = self.utf8.index(self.startIndex, offsetBy: Self.shownBytes)
        while self.utf8[end] & 0xC0 == 0x80 { end = self.utf8.index(before: end) }
        return String(self[..<end])
    }
}
