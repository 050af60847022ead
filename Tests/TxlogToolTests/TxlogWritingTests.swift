import Foundation
import KeyValueStore
import LogFormat
import OfflineStore
import TestSupport
import Testing

@Suite("txlog fills and compacts a folder", .timeLimit(.minutes(1)))
struct TxlogWritingTests {
    @Test func `what was exported and imported is the same, byte for byte`() throws {
        let (first, second) = (TemporaryFolder(), TemporaryFolder())
        let engine = try EmbeddedEngine(opening: MadeStore.configuration(first.path))
        let writer = BulkWriter(engine)
        var expected: [[UInt8]: [UInt8]] = [:]
        for number in 0..<300 {
            let key = (0...(number % 40)).map { UInt8(truncatingIfNeeded: $0 * number) } + Array("\(number)".utf8)
            let value = (0..<(number * 7 % 900)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
            expected[key] = value
            try writer.set(key, value)
        }
        for (key, value) in [("é\n\"\\\u{1}", "𝄞\u{2028}"), ("empty", "")] {
            expected[Array(key.utf8)] = Array(value.utf8)
            try writer.set(Array(key.utf8), Array(value.utf8))
        }
        try writer.finish()
        engine.close()
        let file = second.file("export.ndjson")
        let export = try Tool("export", first.path, "--output", file)
        #expect(export.status == 0, "\(export.error)")
        #expect(try Tool("export", first.path, "--output", file).status == 74, "a file that is there is not replaced")
        let imported = try Tool("import", second.file("kv"), file, "--segment-bytes", "65536")
        #expect(imported.status == 0, "\(imported.error)")
        var found: [[UInt8]: [UInt8]] = [:]
        try StoreImage(reading: second.file("kv")).forEach { record in
            found[Array(record.key)] = Array(record.value)
            return true
        }
        #expect(found == expected)
        let again = try Tool("import", second.file("kv"), file)
        #expect(again.status == 64 && again.error.contains("contains records"))
        #expect(try Tool("verify", second.file("kv")).status == 0)
    }

    @Test func `a line that is no record is refused with its number`() throws {
        let folder = TemporaryFolder()
        let lines = "{\"key\":\"a\",\"value\":\"1\"}\n\n{\"key\":\"b\"}\n"
        let run = try Tool("import", folder.file("kv"), "-", "--segment-bytes", "65536", input: lines)
        #expect(run.status == 65 && run.error.contains("standard input line 3"), "\(run.error)")
    }

    @Test func `a log of the Go system is imported from anywhere, or in its folder`() throws {
        let folder = TemporaryFolder()
        let log = Data("set 1 5 ahe\nlodelete 1 0 b\nset 1 2 b\n\n\ndelete 1 0 a\nset 3 1 xyz1\nset 9".utf8)
        let lines = Data("set 1 5 ahe\nlo\nset 1 2 b\n\n\ndelete 1 0 a\nset 3 1 xyz1\nset 9".utf8)
        try lines.write(to: URL(fileURLWithPath: folder.file("old.log")))
        let run = try Tool("import", folder.file("kv"), folder.file("old.log"), "--segment-bytes", "65536")
        #expect(run.status == 0 && run.output.contains("unfinished record"), "\(run.output)\(run.error)")
        #expect(try Tool("export", folder.file("kv")).output.split(separator: "\n").count == 2)

        try FileManager.default.createDirectory(atPath: folder.file("own"), withIntermediateDirectories: true)
        try lines.write(to: URL(fileURLWithPath: folder.file("own/kv.log")))
        #expect(try Tool("verify", folder.file("own")).error.contains("txlog import"))
        let own = try Tool("import", folder.file("own"), folder.file("own/kv.log"), "--segment-bytes", "65536")
        #expect(own.status == 0, "\(own.error)")
        #expect(FileManager.default.fileExists(atPath: folder.file("own/kv.log.imported")))

        let missing = try Tool("import", folder.file("none"), folder.file("none/kv.log"))
        #expect(missing.status == 74 && missing.error.contains("No such file or directory"), "\(missing.error)")
        #expect(!FileManager.default.fileExists(atPath: folder.file("none")), "nothing is made")

        try log.write(to: URL(fileURLWithPath: folder.file("bad.log")))
        #expect(try Tool("import", folder.file("bad"), folder.file("bad.log")).status == 65)
    }

    @Test func `compaction keeps every record and gives garbage back`() throws {
        let store = try MadeStore()
        let engine = try EmbeddedEngine(opening: MadeStore.configuration(store.path))
        let writer = BulkWriter(engine)
        for number in 1...400 { try writer.delete(Array(MadeStore.key(number).utf8)) }
        try writer.finish()
        engine.close()
        let before = try store.records()
        let run = try Tool("compact", store.path)
        #expect(run.status == 0 && run.output.contains("100 keys kept"), "\(run.output)\(run.error)")
        #expect(try store.records() == before && before.count == 100)
        #expect(try store.files(".snapshot").count > 0)
        #expect(try Tool("dump", store.path).output.contains(" entry \"key-0401\" "))
        let found = try Tool("stat", store.path, "--json").json()
        #expect(found["keys"] as? Int == 100 && (found["snapshot_parts"] as? [Any])?.isEmpty == false)
        #expect(try Tool("verify", store.path).status == 0)
    }
}
