/// A segment's file name: sequence and first revision, 16 hex digits each, so that names sort as the log runs.
///
///     0000000000000002-00000000000f4241.log
package struct SegmentName: Equatable, Sendable, CustomStringConvertible {
    package let sequence: UInt64
    package let firstRevision: UInt64

    package init(sequence: UInt64, firstRevision: UInt64) {
        self.sequence = sequence
        self.firstRevision = firstRevision
    }

    package init?(_ name: String) {
        guard name.utf8.count == 37, name.hasSuffix(".log") else { return nil }
        let parts = name.dropLast(4).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 16 }),
            let sequence = UInt64(parts[0], radix: 16), let firstRevision = UInt64(parts[1], radix: 16)
        else { return nil }
        self.init(sequence: sequence, firstRevision: firstRevision)
        if self.description != name { return nil }
    }

    package var description: String { "\(hexadecimal(self.sequence))-\(hexadecimal(self.firstRevision)).log" }
}
