/// Decides when files that changed are to be read: once they have stayed the same from one look to the next, so that of a
/// certificate and a key that are replaced one after the other both are new. Knows no clock and no file system.
struct FileWatch<Signature: Equatable> {
    /// What was read last.
    private var read: [String: Signature?] = [:]
    private var lastLook: [String: Signature?] = [:]

    /// The files have been read with these signatures.
    mutating func wereRead(_ signatures: [String: Signature?]) {
        self.read = signatures
        self.lastLook = signatures
    }

    /// - Returns: whether it is time to read the files again. What is not there any more, or not yet, is waited for: a
    ///   file that is being replaced is missing for a moment.
    mutating func look(_ signatures: [String: Signature?]) -> Bool {
        defer { self.lastLook = signatures }
        guard signatures != self.read, signatures == self.lastLook else { return false }
        return signatures.values.allSatisfy { $0 != nil }
    }
}
