extension String {
    /// The most that is shown or kept of a text that somebody else chose, in bytes.
    static let shownBytes = 256

    /// What is shown of such a text: its first ``shownBytes``, splitting no character.
    package var shownPart: String {
        guard self.utf8.count > Self.shownBytes else { return self }
        var end = self.utf8.index(self.startIndex, offsetBy: Self.shownBytes)
        while self.utf8[end] & 0xC0 == 0x80 { end = self.utf8.index(before: end) }
        return String(self[..<end])
    }
}
