/// The revisions in the frames of a log, in the order of the log.
public struct RevisionCoverage: Sendable, Equatable {
    /// Revisions that are not in any intact frame, in order.
    public private(set) var gaps: [ClosedRange<UInt64>] = []
    /// Whether there may have been revisions after the last known one.
    public internal(set) var endIsUnknown = false
    /// The next expected revision.
    private(set) var next: UInt64 = 1

    /// Begins after the snapshot.
    mutating func begin(at revision: UInt64) { self.next = revision }

    /// Repeated revisions, or revisions out of order, change nothing.
    mutating func note(_ revision: UInt64) {
        self.noteEnd(after: revision - 1)
        self.next = max(self.next, revision + 1)
    }

    /// There is evidence of this revision, but not of its content.
    mutating func noteEnd(after revision: UInt64) {
        if revision < self.next { return }
        self.gaps.append(self.next...revision)
        self.next = revision + 1
    }

    /// Number of revisions in ``gaps``.
    public var unknownRevisions: UInt64 { self.gaps.reduce(0) { $0 + $1.upperBound - $1.lowerBound + 1 } }

    /// The newest unknown revision, which may have changed any key: keys set up to it may have been changed or deleted
    /// since.
    public var lastUnknown: UInt64 { self.endIsUnknown ? .max : self.gaps.last?.upperBound ?? 0 }

    public var isWhole: Bool { self.gaps.isEmpty && !self.endIsUnknown }

    /// `440 to 875, 901`, including the unknown end.
    public var unknownText: String {
        var texts = self.gaps.map {
            $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)"
        }
        if self.endIsUnknown { texts.append("any after \(self.next - 1)") }
        return texts.joined(separator: ", ")
    }
}
