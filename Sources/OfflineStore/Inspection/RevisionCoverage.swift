/// Which revisions the frames of a log tell of, met in the order of the log.
package struct RevisionCoverage: Sendable, Equatable {
    /// Revisions of which no whole frame tells, in their order.
    package private(set) var gaps: [ClosedRange<UInt64>] = []
    /// Whether there may have been revisions after the last one that anything tells of.
    package internal(set) var endIsUnknown = false
    /// The next revision to be met.
    private(set) var next: UInt64 = 1

    /// Begins after what the snapshot holds.
    mutating func begin(at revision: UInt64) { self.next = revision }

    /// Revisions that are met again, or out of their order, change nothing.
    mutating func note(_ revision: UInt64) {
        self.noteEnd(after: revision - 1)
        self.next = max(self.next, revision + 1)
    }

    /// Something tells that there was this revision, and not what was in it.
    mutating func noteEnd(after revision: UInt64) {
        if revision < self.next { return }
        self.gaps.append(self.next...revision)
        self.next = revision + 1
    }

    /// How many revisions are in ``gaps``.
    package var unknownRevisions: UInt64 { self.gaps.reduce(0) { $0 + $1.upperBound - $1.lowerBound + 1 } }

    /// The newest revision that may have changed any key without anything telling: what was set up to it may have been
    /// changed or deleted since.
    package var lastUnknown: UInt64 { self.endIsUnknown ? .max : self.gaps.last?.upperBound ?? 0 }

    package var isWhole: Bool { self.gaps.isEmpty && !self.endIsUnknown }

    /// `440 to 875, 901`, with what is said of the end.
    package var unknownText: String {
        var texts = self.gaps.map {
            $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)"
        }
        if self.endIsUnknown { texts.append("any after \(self.next - 1)") }
        return texts.joined(separator: ", ")
    }
}
