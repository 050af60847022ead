import SimulatedStorage
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Import of the Go system's log", .timeLimit(.minutes(1)))
struct GoImportTests {
    static let source = "\(storeDirectory)/kv.log"
    static let kept = "\(storeDirectory)/kv.log.imported"

    static func folder(_ bytes: [UInt8]) -> SimulatedFileSystem {
        let fileSystem = SimulatedFileSystem()
        fileSystem.install(Self.source, bytes)
        return fileSystem
    }

    /// Imports, and checks that the store then reopens with the same records.
    private static func check(
        _ bytes: [UInt8], gives changes: [Change], tornBytes: Int = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let fileSystem = Self.folder(bytes)
        let recovered = try Recovered(fileSystem)
        #expect(recovered.transactions == changes.map { [$0] }, sourceLocation: sourceLocation)
        let expected = ImportReport(
            operations: UInt64(changes.count), bytes: UInt64(bytes.count), tornBytes: UInt64(tornBytes))
        #expect(recovered.report.imported == expected, sourceLocation: sourceLocation)
        #expect(fileSystem.contents(Self.source) == nil, sourceLocation: sourceLocation)
        #expect(fileSystem.contents(Self.kept) == bytes, sourceLocation: sourceLocation)
        var next = try LogMaker(fileSystem.crash(seed: 1))
        #expect(next.transactions == changes.map { [$0] }, sourceLocation: sourceLocation)
        try next.write(numbered(1))
        let again = try Recovered(next.fileSystem.kill())
        #expect(again.transactions.count == changes.count + 1, sourceLocation: sourceLocation)
        #expect(again.report.imported == nil, sourceLocation: sourceLocation)
    }

    @Test func `records are taken over in order, with what the original loses or forges`() throws {
        let changes: [Change] = [
            .set("key", "value"), .set("key", ""), .delete("absent"), .set("line\nbreak", "a\nb\n"),
            .set("ends in CR", "value\r"), .set("forger", "x\nset 5 5 adminpwned"),
            .set("forger 2", "x\ndelete 5 0 admin\n"), .set("set 3 3 ", "set 3 3 abcdef\n"), .set(" ", " "),
            .set([0, 255, 10, 13, 32], [0]), .delete("key"),
        ]
        try Self.check(GoLog.encode(changes), gives: changes)
    }

    @Test func `an empty log is an empty store`() throws { try Self.check([], gives: []) }

    @Test func `random records come over byte for byte`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let changes = (0..<400).map { _ in Change.random(using: &generator, mayExpire: false) }
        try Self.check(GoLog.encode(changes), gives: changes)
    }

    @Test func `a log larger than a segment fills several`() throws {
        let changes = (0..<200).map { Change.set("key \($0)", String(repeating: "v", count: 700)) }
        let fileSystem = Self.folder(GoLog.encode(changes))
        let recovered = try Recovered(fileSystem)
        #expect(recovered.transactions == changes.map { [$0] })
        #expect(recovered.report.segments.count > 8)
        #expect(recovered.report.segments.dropLast().allSatisfy { $0.sealed })
    }

    @Test func `a value larger than a segment comes over`() throws {
        let changes: [Change] = [
            .set("a", "1"), .set(Array("b".utf8), [UInt8](repeating: 0x0A, count: 40_000)), .set("c", "3"),
        ]
        try Self.check(GoLog.encode(changes), gives: changes)
    }

    @Test func `a last record cut at any byte is left out, and kept with the rest`() throws {
        for last in [Change.set("last key", "1 2\nset 1 1 ab\n"), .delete("last key")] {
            let changes: [Change] = [.set("first", "value\n"), .delete("first")]
            let whole = GoLog.encode(changes)
            let record = GoLog.record(last)
            for length in 1..<record.count {
                try Self.check(whole + record[..<length], gives: changes, tornBytes: length)
            }
            try Self.check(whole + record, gives: changes + [last])
        }
    }

    @Test(arguments: [
        "x", "set", "SET 1 1 ab\n", "put 1 1 ab\n", "set 1 1\nab\n", "set  1 1 ab\n", "set -1 1 ab\n",
        "set 1 -1 ab\n", "set 1 +1 ab\n", "set 01 1 ab\n", "set 1 1x ab\n", "set 1.0 1 ab\n", "set 0 1 a\n",
        "set 65536 1 ab\n", "set 1 8388609 ab\n", "set 1 9999999999 ab\n", "set 1 18446744073709551617 ab\n",
        "set 99999999999999999999999999999999999999 1 ab\n", "set 1 1 abc\n", "set 1 1 ab\r\n", "set 2 1 ab\n",
        "delete 1 1 ab\n", "delete 1 ab\n", "set \u{661} 1 ab\n", "\n", " set 1 1 ab\n", "\u{0}\u{0}\u{0}\u{0}",
    ])
    func `a record that does not parse is refused with its offset, and nothing changes`(bad: String) throws {
        let good: [Change] = [.set("key", "value\nset 1 1 ab"), .delete("key")]
        let whole = GoLog.encode(good)
        // With another record behind it, so that it cannot be a torn last one.
        let bytes = whole + Array(bad.utf8) + GoLog.record(.set("after", String(repeating: "v", count: 60)))
        let fileSystem = Self.folder(bytes)
        let corruption = try #require(Recovered.corruption(fileSystem))
        #expect(corruption.file == "kv.log")
        #expect(corruption.offset == UInt64(whole.count))
        #expect(corruption.lastGoodRevision == 2)
        guard case .importedLog = corruption.reason else {
            Issue.record("\(corruption)")
            return
        }
        #expect(fileSystem.contents(Self.source) == bytes)
        // Another start gets no further either, and only refuses.
        #expect(Recovered.corruption(fileSystem.crash(seed: 0)) == corruption)
    }

    @Test func `no length in the file makes the reader ask for more than the file has`() throws {
        for text in ["set 1 8388608 ab\n", "set 65535 8388608 ab\n", "set 65535 0 a"] {
            let fileSystem = Self.folder(Array(text.utf8))
            _ = try Recovered(fileSystem)
            let reads = fileSystem.calls.filter { $0.kind == .read && $0.path.hasSuffix("kv.log") }
            #expect(reads.count == 1)
            #expect(reads.allSatisfy { $0.byteCount <= text.utf8.count })
        }
    }

    @Test func `an import that is interrupted at any call gives the same when it is started again`() throws {
        let changes = (0..<40).map { Change.set("key \($0)", String(repeating: "v", count: 500)) }
        let bytes = GoLog.encode(changes) + Array("set 3 ".utf8)
        let configuration = testConfiguration(segmentBytes: 8192)
        var interruptions = 0
        for call in 1... {
            let fileSystem = Self.folder(bytes)
            fileSystem.die(atCall: call)
            do {
                _ = try Recovered(fileSystem, configuration)
                if !fileSystem.isDead { break }
            } catch {}
            for seed in 0..<4 as Range<UInt64> {
                interruptions += 1
                let crashed = seed == 0 ? fileSystem.kill() : fileSystem.crash(seed: UInt64(call) << 8 | seed)
                let recovered = try Recovered(crashed, configuration)
                #expect(recovered.transactions == changes.map { [$0] }, "call \(call), crash \(seed)")
                #expect(crashed.contents(Self.source) == nil)
                #expect(crashed.contents(Self.kept) == bytes)
                #expect(recovered.report.unknownFiles == [])
                #expect(!crashed.files.contains { $0.hasSuffix(".prepared") })
            }
        }
        print("\(interruptions) interrupted imports")
        #expect(interruptions > 500)
    }

    @Test func `an import goes on when there was no space the first time`() throws {
        let changes = (0..<40).map { Change.set("key \($0)", String(repeating: "v", count: 500)) }
        let fileSystem = Self.folder(GoLog.encode(changes))
        let configuration = testConfiguration(segmentBytes: 8192)
        fileSystem.setCapacity(bytes: 40_000)
        do {
            _ = try Recovered(fileSystem, configuration)
            Issue.record("it had room")
        } catch {
            guard case .system(let error) = error, error.isOutOfSpace else {
                Issue.record("\(error)")
                return
            }
        }
        fileSystem.setCapacity(bytes: .max)
        #expect(try Recovered(fileSystem, configuration).transactions == changes.map { [$0] })
    }

    @Test func `another kv.log beside a store is not imported but reported`() throws {
        let fileSystem = Self.folder(GoLog.encode([.set("a", "1")]))
        _ = try Recovered(fileSystem)
        let other = GoLog.encode([.set("b", "2")])
        fileSystem.install(Self.source, other)
        let recovered = try Recovered(fileSystem)
        #expect(recovered.transactions == [[.set("a", "1")]])
        #expect(recovered.report.unknownFiles == ["kv.log"])
        #expect(fileSystem.contents(Self.source) == other)
    }
}
