import SimulatedStorage
import TestSupport
import Testing

@testable import LogFormat

@Suite("Frame payload", .timeLimit(.minutes(1)))
struct FramePayloadTests {
    private static func header(_ transactions: Int, kind: FrameHeader.Kind = .data) -> FrameHeader {
        FrameHeader(
            kind: kind, payloadLength: 0, firstRevision: 1, durableLength: 4096, committedNanoseconds: 0,
            transactionCount: UInt32(transactions), salt: 1, payloadChecksum: 0)
    }

    private static func payload(_ transactions: [Transaction]) -> [UInt8] {
        var frame = FrameBuilder()
        frame.begin(firstRevision: 1)
        for transaction in transactions { transaction.append(to: &frame) }
        return Array(frame.bytes[FrameHeader.byteCount...])
    }

    private static func parse(
        _ payload: [UInt8], _ header: FrameHeader
    ) -> (transactions: [Transaction], fault: FrameFault?) {
        var transactions: [Transaction] = []
        let fault = unsafe payload.withUnsafeBytes { bytes in
            unsafe FramePayload.forEach(in: bytes, header: header) { revision, operation in
                while UInt64(transactions.count) < revision { transactions.append([]) }
                transactions[transactions.count - 1].append(Change(operation))
            }
        }
        return (transactions, fault)
    }

    @Test func `any transactions come back as they were`() {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let transactions = (0..<Int.random(in: 1...8, using: &generator)).map { _ in
                let changes = (0..<Int.random(in: 1...6, using: &generator)).map { _ in Change.random(using: &generator)
                }
                return generator.chance(0.5) ? changes.withReceipt(7) : changes
            }
            let payload = Self.payload(transactions)
            #expect(payload.count == transactions.reduce(0) { $0 + $1.payloadBytes })
            let parsed = Self.parse(payload, Self.header(transactions.count))
            #expect(parsed.fault == nil)
            #expect(parsed.transactions == transactions)
        }
    }

    @Test func `the largest transaction and the largest key come back`() {
        let many = (0..<FrameBuilder.maximumOperationsPerTransaction).map { Change.set("key \($0)", "") }
        let key = [UInt8](repeating: 0x0A, count: FrameBuilder.maximumKeyBytes)
        let transactions: [Transaction] = [many, [.set(key, key), .delete(key)]]
        #expect(Self.parse(Self.payload(transactions), Self.header(2)).transactions == transactions)
    }

    @Test func `the changes of live bytes add up, and those of earlier segments stay apart`() {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        var frame = FrameBuilder()
        for _ in 0..<200 {
            let segmentRevision = UInt64.random(in: 1...100, using: &generator)
            frame.begin(firstRevision: 100, segmentRevision: segmentRevision)
            var own = 0
            var earlier: [LiveChange] = []
            for _ in 0..<Int.random(in: 0...20, using: &generator) {
                frame.beginTransaction()
                let change = Change.random(using: &generator)
                change.append(to: &frame)
                if let value = change.value {
                    own += LiveRecord.bytes(
                        key: change.key.count, value: value.count, hasExpiry: change.expiresAt != 0)
                }
                if Bool.random(using: &generator) {
                    let revision = UInt64.random(in: 1...frame.nextRevision, using: &generator)
                    let bytes = Int.random(in: 17...200, using: &generator)
                    frame.replaces(revision: revision, bytes: bytes)
                    if revision >= segmentRevision {
                        own -= bytes
                    } else {
                        earlier.append(LiveChange(revision: revision, bytes: -bytes))
                    }
                }
                frame.endTransaction()
            }
            #expect(frame.liveBytes == own)
            #expect(frame.earlierChanges == earlier)
        }
    }

    @Test func `the size of a single operation is known beforehand`() {
        let payload = Self.payload([[.set("abc", "defgh")]])
        #expect(payload.count == FrameBuilder.singleOperationBytes(key: 3, value: 5))
    }

    @Test func `bytes that no writer wrote are reported and never trap`() {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let transactions: [Transaction] = [numbered(1), [.set("a", ""), .delete("b")], numbered(2)]
        let good = Self.payload(transactions)
        for _ in 0..<5000 {
            var payload = good
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                payload[Int.random(in: 0..<payload.count, using: &generator)] = UInt8.random(
                    in: .min ... .max, using: &generator)
            }
            payload.removeLast(Int.random(in: 0...payload.count, using: &generator) / 8)
            let count = Int.random(in: 0...5, using: &generator)
            let parsed = Self.parse(payload, Self.header(count))
            if parsed.fault == nil { #expect(parsed.transactions.count == count) }
        }
    }

    @Test(
        arguments: [
            (0, 0, "a transaction has 0 operations"), (0, 130, "a transaction has 130 operations"),
            (1, 2, "a transaction has unknown flags 2"), (2, 1, "a transaction has unknown fields"),
            (4, 1, "a transaction has unknown fields"), (8, 4, "an operation has the unknown op 4"),
            (8, 3, "a receipt is not the last of several operations"),
            (9, 2, "an operation has unknown flags 2"), (10, 0, "an operation does not end with a newline"),
            (11, 1, "an operation ends after the payload"), (15, 0x80, "an operation ends after the payload"),
            (8, 2, "a delete has a value"), (9, 1, "an operation ends after the payload"),
        ] as [(Int, UInt8, String)])
    func `each field out of bounds is named`(offset: Int, byte: UInt8, detail: String) {
        var payload = Self.payload([[.set("k", "value")]])
        payload[offset] = byte
        #expect(Self.parse(payload, Self.header(1)).fault == .content(detail))
    }

    @Test func `a frame of receipts holds these alone`() {
        let receipts: [Change] = [.receipt(Array("once".utf8), [1, 2, 3]), .receipt([0], []), .receipt([7], [7])]
        var frame = FrameBuilder()
        frame.begin(firstRevision: 9)
        for receipt in receipts { receipt.append(to: &frame) }
        let payload = Array(frame.bytes[FrameHeader.byteCount...])
        #expect(frame.isEmpty && frame.operationCount == 0)
        func parse(_ payload: [UInt8], transactions: Int = 0) -> (receipts: [Change], fault: FrameFault?) {
            var found: [Change] = []
            let header = Self.header(transactions, kind: .receipts)
            let fault = unsafe payload.withUnsafeBytes { bytes in
                unsafe FramePayload.forEach(in: bytes, header: header) { revision, operation in
                    #expect(revision == 0 && operation.place == .receipt)
                    found.append(Change(operation))
                }
            }
            return (found, fault)
        }
        let parsed = parse(payload)
        #expect(parsed.receipts == receipts && parsed.fault == nil)
        #expect(parse(payload, transactions: 1).fault == .content("a frame of receipts has transactions"))
        for (offset, byte, detail) in [
            (0, 1, "a frame of receipts has another operation"), (0, 2, "a delete has a value"),
            (0, 4, "an operation has the unknown op 4"), (1, 1, "a receipt has an expiry time"),
            (1, 2, "an operation has unknown flags 2"), (3, 1, "an operation ends after the payload"),
            (7, 1, "an operation ends after the payload"), (2, 5, "an operation does not end with a newline"),
        ] as [(Int, UInt8, String)] {
            var wrong = payload
            wrong[offset] = byte
            #expect(parse(wrong).fault == .content(detail), "byte \(offset)")
        }
        for length in 1..<payload.count { #expect(parse(Array(payload[..<length])).receipts.count < receipts.count) }
    }

    @Test func `bytes behind the last transaction are reported`() {
        let payload = Self.payload([numbered(1), numbered(2)])
        #expect(Self.parse(payload, Self.header(1)).fault == .content("bytes follow the last transaction"))
        #expect(Self.parse(payload, Self.header(3)).fault == .content("a transaction ends after the payload"))
    }

    @Test(arguments: [FrameHeader.Kind.seal, .cleanShutdown, .heartbeat])
    func `a frame of another type than data holds nothing`(kind: FrameHeader.Kind) {
        #expect(Self.parse([], Self.header(0, kind: kind)).fault == nil)
        let fault = Self.parse(Self.payload([numbered(1)]), Self.header(1, kind: kind)).fault
        #expect(fault == .content("a frame of type \(kind) has a payload"))
    }
}
