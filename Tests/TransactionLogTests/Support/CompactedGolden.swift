@testable import LogFormat

/// The compacted store of `Golden/version-4`: the first segment has been replaced by a part of a snapshot, and its receipts
/// were copied into the second one.
enum CompactedGolden {
    struct Operation: Equatable {
        let revision: UInt64
        let place: LoggedOperation.Place
        let change: Change
    }

    static let base = SegmentHeader.Predecessor(
        sequence: 1, lastRevision: 4, lengthBytes: 4_512, sealChecksum: 0x0BAD_F00D)
    private static let expiry: UInt64 = 1_800_000_000_123

    private static let entries: [(revision: UInt64, change: Change)] = [
        (2, .set("alpha", "one")), (3, .setExpiring(Array("session".utf8), Array("1".utf8), expiry)),
        (1, .set([0xFF], [])),
    ]
    /// A set and a delete of the first segment: the kind with bit 7, the fingerprint, the time, the revision.
    private static let copied: [Change] = [
        .receipt(
            Array("once-2".utf8), [0x81] + Self.bytes(0x0356_356B_0000_0301, 1_700_000_000_002, 2)),
        .receipt(
            Array("once-4".utf8), [0x82] + Self.bytes(0x08CD_36BC_0000_0601, 1_700_000_000_004, 4)),
    ]
    private static let transactions: [Transaction] = [
        // An increment, with its number and no expiry time.
        [
            .set("counter", "7"),
            .receipt(
                Array("once-5".utf8),
                [3] + Self.bytes(0xBF9E_8A78_0000_0901, 1_700_000_000_005) + [5] + Self.bytes(7, 0)),
        ],
        // A set, a delete, a delete of a missing key, and a get.
        [
            .setExpiring(Array("session".utf8), Array("2".utf8), expiry), .delete("alpha"), .set("beta", ""),
            .receipt(
                Array("once-6".utf8),
                [3] + Self.bytes(0x40D9_63C3_0000_0B01, 1_700_000_000_006) + [1] + Self.bytes(expiry) + [2, 3, 4]
                    + Self.bytes(5, 0) + [1] + Self.bytes(0)),
        ],
        [.expire([0xFF])],
    ]
    private static let last: Transaction = [
        .set("gamma", "\u{E9}"),
        .receipt(Array("once-8".utf8), [1] + Self.bytes(0x0356_356B_0000_0301, 1_700_000_000_008)),
    ]

    private static func bytes(_ numbers: UInt64...) -> [UInt8] {
        var bytes: [UInt8] = []
        for number in numbers { bytes.appendLittleEndian(number) }
        return bytes
    }

    /// All of it, in the order of a start.
    static var operations: [Operation] {
        var operations = self.entries.map { Operation(revision: $0.revision, place: .snapshot, change: $0.change) }
        func add(_ transaction: Transaction, _ revision: UInt64) {
            for (place, change) in transaction.enumerated() {
                let isReceipt = if case .receipt = change { true } else { false }
                let changes = transaction.count { if case .receipt = $0 { false } else { true } }
                operations.append(
                    Operation(
                        revision: revision,
                        place: isReceipt ? .receipt : place == changes - 1 ? .endOfTransaction : .withinTransaction,
                        change: change))
            }
        }
        add(self.transactions[0], 5)
        add(self.transactions[1], 6)
        operations += self.copied.map { Operation(revision: 0, place: .receipt, change: $0) }
        add(self.transactions[2], 7)
        add(self.last, 8)
        return operations
    }

    /// The files as this program writes them.
    static var encoded: [(name: String, bytes: [UInt8])] {
        let partName = PartName(upTo: self.base.lastRevision, number: 1)
        let part = self.part(partName)
        var two = self.segment(2, firstRevision: 5, salt: 0x5EED_0012, predecessor: self.base)
        two.add(.heartbeat)
        two.add(.data, Array(self.transactions[..<2]))
        two.add(.receipts) { frame in for receipt in self.copied { receipt.append(to: &frame) } }
        two.add(.data, [self.transactions[2]])
        two.add(.seal)
        let sealed = Manifest.Sealed(
            name: SegmentName(SegmentFileName(sequence: 2), firstRevision: 5), lastRevision: two.nextRevision - 1,
            lengthBytes: UInt64(two.length), sealChecksum: two.lastChecksum)
        var three = self.segment(
            3, firstRevision: two.nextRevision, salt: 0x5EED_0013, predecessor: sealed.asPredecessor)
        three.add(.data, [self.last])
        three.add(.cleanShutdown)
        let active = SegmentName(SegmentFileName(sequence: 3), firstRevision: two.nextRevision)
        var manifest = Manifest(
            storeID: GoldenFileTests.storeID, generation: 9, sealed: [sealed], active: active,
            closed: .init(lastRevision: three.nextRevision - 1, lengthBytes: UInt64(three.length)))
        manifest.base = self.base
        manifest.parts = [
            Manifest.Part(
                name: partName, entries: UInt64(self.entries.count), lengthBytes: UInt64(part.length),
                endChecksum: part.lastChecksum)
        ]
        return [
            (partName.description, Array(part.bytes[..<part.length])), (sealed.name.description, two.bytes),
            (active.description, three.bytes), (Manifest.fileName, manifest.encoded()),
        ]
    }

    private static func part(_ name: PartName) -> GoldenFileTests.Segment {
        var part = GoldenFileTests.Segment(
            SegmentHeader(
                kind: .part, storeID: GoldenFileTests.storeID, sequence: UInt64(name.number), firstRevision: name.upTo,
                salt: 0x5EED_0011, syncModeCode: 0, createdNanoseconds: GoldenFileTests.created, predecessor: .none))
        part.add(.entries) { frame in
            for (revision, change) in self.entries {
                unsafe change.key.withUnsafeBytes { key in
                    unsafe (change.value ?? []).withUnsafeBytes { value in
                        unsafe frame.entry(
                            LiveRecord(revision: revision, key: key, value: value, expiresAt: change.expiresAt))
                    }
                }
            }
        }
        part.add(.partEnd)
        return part
    }

    private static func segment(
        _ sequence: UInt64, firstRevision: UInt64, salt: UInt32, predecessor: SegmentHeader.Predecessor
    ) -> GoldenFileTests.Segment {
        GoldenFileTests.Segment(
            SegmentHeader(
                storeID: GoldenFileTests.storeID, sequence: sequence, firstRevision: firstRevision, salt: salt,
                syncModeCode: 0, createdNanoseconds: GoldenFileTests.created + sequence, predecessor: predecessor,
                preparedBytes: UInt64(GoldenFileTests.segmentBytes)))
    }
}
