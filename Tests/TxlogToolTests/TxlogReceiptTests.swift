import Dispatch
import DurableFiles
import Foundation
import KeyValueStore
import LogFormat
import OfflineStore
import TestSupport
import Testing
import TransactionLog

/// Stores with receipts: of transactions, and copied by a compaction.
@Suite("txlog and receipts of idempotency keys", .timeLimit(.minutes(1)))
struct TxlogReceiptTests {
    private let store = TemporaryFolder()

    /// A write of its own kind each: its text is key and request.
    private static let writes = ["set", "transaction", "increment", "last"]

    /// - Returns: which of the writes were answered from their receipts.
    private static func write(_ texts: some Sequence<String>, into engine: EmbeddedEngine) -> [String] {
        let woken = DispatchSemaphore(value: 0)
        let session = engine.makeSession(wake: { woken.signal() }, endOfTurn: {})
        var replayed: [String] = []
        for text in texts {
            var fingerprint = IdempotencyKey.Fingerprint()
            fingerprint.add(Array(text.utf8))
            let key = IdempotencyKey(Array("once \(text)".utf8), fingerprint: fingerprint)
            var isOver = false
            func end(_ result: WriteResult) {
                isOver = true
                if result.isReplayed { replayed.append(text) }
            }
            switch text {
            case "transaction":
                let operations: [Transaction.Operation] = [
                    .set(key: Array("b".utf8), value: Array("1".utf8)), .get(key: Array("a".utf8)),
                    .set(key: Array("c".utf8), value: Array("1".utf8)), .delete(key: Array("none".utf8)),
                ]
                session.perform(Transaction(operations), deadline: nil, once: key) { end($0) }
            case "increment":
                session.perform(
                    Transaction([.increment(key: Array("n".utf8), by: 5)]), deadline: nil, once: key
                ) { end($0) }
            default:
                Array(text.utf8).withUnsafeBytes { value in
                    session.set(Array((text == "set" ? "a" : "z").utf8), to: value, deadline: nil, once: key) {
                        end($0)
                    }
                }
            }
            session.flush()
            while !isOver {
                woken.wait()
                session.deliverCompletions()
            }
        }
        return replayed
    }

    private func open(_ path: String? = nil) throws -> EmbeddedEngine {
        try EmbeddedEngine(opening: MadeStore.configuration(path ?? self.store.path))
    }

    /// Three writes, whose receipts a compaction has copied, and one behind them.
    private func make() throws {
        let engine = try self.open()
        #expect(Self.write(Self.writes.dropLast(), into: engine) == [])
        #expect(engine.compact() != nil)
        #expect(Poll.holds { engine.compaction.last != nil } && engine.compaction.last?.error == nil)
        #expect(Self.write(["last"], into: engine) == [])
        engine.close()
    }

    private func segment() throws -> String {
        try #require(
            FileManager.default.contentsOfDirectory(atPath: self.store.path).sorted()
                .first { $0.hasSuffix(".log") && !self.store.isPrepared($0) })
    }

    /// The place of the frame that contains `text`, and of the text.
    private func place(of text: String, in name: String) throws -> (frame: Int, text: Int) {
        let content = try Data(contentsOf: URL(fileURLWithPath: self.store.file(name)))
        let place = try #require(content.range(of: Data(text.utf8))).lowerBound
        let frame = try #require(content.range(of: Data("TXF".utf8), options: .backwards, in: 0..<place)).lowerBound
        return (frame, place)
    }

    private func patch(_ name: String, at offset: Int) throws {
        var content = try Data(contentsOf: URL(fileURLWithPath: self.store.file(name)))
        content[offset] ^= 1
        try content.write(to: URL(fileURLWithPath: self.store.file(name)))
    }

    @Test func `dump prints them, import leaves them out of both forms, and an export has none`() throws {
        try self.make()
        #expect(try Tool("verify", self.store.path).status == 0)
        let text = try Tool("dump", self.store.path).output
        // Those of a compaction have no transaction, and so no revision of their own in the dump.
        let lines = text.split(separator: "\n").filter { $0.contains(" receipt ") }
        #expect(
            lines == [
                #"0 receipt "once set""#, #"0 receipt "once transaction""#, #"0 receipt "once increment""#,
                #"4 receipt "once last""#,
            ])
        let json = try Tool("dump", self.store.path, "--format", "ndjson").output
        #expect(json.split(separator: "\n").count { $0.contains(#""op":"receipt""#) } == 4)
        let export = try Tool("export", self.store.path)
        #expect(export.status == 0 && !export.output.contains("once"))
        #expect(export.output.split(separator: "\n").count == 5)
        for input in [text, json, export.output] {
            let imports = TemporaryFolder()
            let folder = imports.file("kv")
            let run = try Tool("import", folder, "-", "--segment-bytes", "65536", input: input)
            #expect(run.status == 0, "\(run.error)")
            let imported = try Tool("dump", folder).output
            #expect(!imported.contains("receipt") && imported.contains(#"set "n" "5""#))
            let engine = try self.open(folder)
            defer { engine.close() }
            #expect(engine.idempotencyKeys == 0 && engine.figures.keys == 5)
        }
    }

    @Test func `a compaction keeps them`() throws {
        try self.make()
        for _ in 0..<2 {
            let run = try Tool("compact", self.store.path)
            #expect(run.status == 0, "\(run.output)\(run.error)")
            #expect(try Tool("dump", self.store.path).output.contains(#"0 receipt "once last""#))
        }
        let engine = try self.open()
        #expect(engine.idempotencyKeys == 4)
        #expect(Self.write(Self.writes, into: engine) == Self.writes)
        engine.close()
    }

    @Test func `a torn transaction loses its receipt with its changes, by a repair as by a start`() throws {
        try self.make()
        let name = try self.segment()
        let place = try self.place(of: "once last", in: name)
        // As a write leaves it that never finished: nothing but zeros behind it, and no clean stop recorded.
        var content = try Data(contentsOf: URL(fileURLWithPath: self.store.file(name)))
        content.replaceSubrange(place.text..<content.count, with: Data(count: content.count - place.text))
        try content.write(to: URL(fileURLWithPath: self.store.file(name)))
        let manifest = self.store.file("MANIFEST")
        var kept = try Manifest(decoding: Array(try Data(contentsOf: URL(fileURLWithPath: manifest))))
        kept.closed = nil
        try Data(kept.encoded()).write(to: URL(fileURLWithPath: manifest))
        let verify = try Tool("verify", self.store.path)
        #expect(verify.status == 2 && verify.output.contains("\(name) at offset \(place.frame)"), "\(verify.output)")
        let repair = try Tool("repair", self.store.path, "--yes")
        #expect(repair.status == 0 && repair.output.contains("continues after revision 3"), "\(repair.output)")
        let engine = try self.open()
        #expect(engine.figures.keys == 4)
        #expect(Self.write(Self.writes, into: engine) == Self.writes.dropLast())
        #expect(engine.figures.keys == 5)
        engine.close()
    }

    @Test func `damage of receipts alone is found, and costs no record but those behind it`() throws {
        try self.make()
        let name = try self.segment()
        let place = try self.place(of: "once increment", in: name)
        try self.patch(name, at: place.text)
        let verify = try Tool("verify", self.store.path)
        #expect(verify.status == 65, "\(verify.output)")
        #expect(verify.output.contains("damage: \(name) at offset \(place.frame)"), "\(verify.output)")
        #expect(throws: LogError.self) { try self.open() }
        // All records are brought out, and it is not said that changes are missing.
        let export = try Tool("export", self.store.path, "--skip-damage")
        #expect(export.status == 3 && export.output.split(separator: "\n").count == 5, "\(export.output)")
        #expect(!export.output.contains("may_be_older"), "\(export.output)")
        #expect(export.error.contains("skipped the damage at offset \(place.frame)"), "\(export.error)")
        let repair = try Tool("repair", self.store.path, "--yes", "--accept-data-loss")
        #expect(repair.status == 0 && repair.output.contains("Lost: 1 revisions, 4 to 4"), "\(repair.output)")
        let engine = try self.open()
        // The writes are there, their receipts are not.
        #expect(engine.idempotencyKeys == 0 && engine.figures.keys == 4)
        engine.close()
    }
}
