import Foundation
import KeyValueStore
import LogFormat
import OfflineStore
import SimulatedStorage
import TestSupport
import Testing
import TransactionLog

@Suite("txlog brings out what a damaged log still holds", .timeLimit(.minutes(1)))
struct TxlogSalvageTests {
    /// The written changes of a store, by revision.
    struct History {
        struct Change {
            let key: String
            /// Nil for a delete.
            let value: String?
        }

        let folder = TemporaryFolder()
        private(set) var changes: [UInt64: Change] = [:]

        /// Some keys repeatedly, in groups of up to `groupChanges`; optionally half of it in a snapshot.
        init(_ generator: inout SeededGenerator, changes count: Int, groupChanges: Int, compacts: Bool) throws {
            let engine = try EmbeddedEngine(opening: MadeStore.configuration(self.folder.path))
            let writer = BulkWriter(engine)
            var present: Set<String> = []
            while self.changes.count < count {
                let key = "key-\(Int.random(in: 0..<80, using: &generator))"
                let revision = UInt64(self.changes.count + 1)
                if present.contains(key), Int.random(in: 0..<4, using: &generator) == 0 {
                    try writer.delete(Array(key.utf8))
                    present.remove(key)
                    self.changes[revision] = Change(key: key, value: nil)
                } else {
                    let length = Int.random(in: 0..<400, using: &generator)
                    let value = "\(revision)-" + String(repeating: "v", count: length)
                    try writer.set(Array(key.utf8), Array(value.utf8))
                    present.insert(key)
                    self.changes[revision] = Change(key: key, value: value)
                }
                if Int.random(in: 0..<groupChanges, using: &generator) == 0 { try writer.finish() }
                if compacts, self.changes.count == count / 2 {
                    try writer.finish()
                    #expect(engine.compact() != nil)
                    #expect(Poll.holds { engine.compaction.last != nil })
                }
            }
            try writer.finish()
            engine.close()
        }

        var lastRevision: UInt64 { UInt64(self.changes.count) }

        /// The newest change of each key without those of `lost`.
        func newest(without lost: (UInt64) -> Bool = { _ in false }) -> [String: (revision: UInt64, value: String?)] {
            var newest: [String: (revision: UInt64, value: String?)] = [:]
            for revision in 1...self.lastRevision where !lost(revision) {
                if let change = self.changes[revision] { newest[change.key] = (revision, change.value) }
            }
            return newest
        }
    }

    private static func damage(_ path: String, at offset: Int, bit: Int) throws {
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(offset))
        let byte = try #require(try file.read(upToCount: 1)?.first)
        try file.seek(toOffset: UInt64(offset))
        try file.write(contentsOf: Data([byte ^ UInt8(1 << bit)]))
    }

    /// Bytes of a segment that are header and frames.
    private static func usedBytes(_ path: String) throws -> Int {
        let content = try Data(contentsOf: URL(fileURLWithPath: path))
        return try #require(content.lastIndex { $0 != 0 }) + 1
    }

    /// As in the header of a segment.
    private static func firstRevision(_ path: String) throws -> UInt64 {
        let content = try Data(contentsOf: URL(fileURLWithPath: path))
        return (40..<48).reversed().reduce(0) { $0 << 8 | UInt64(content[$1]) }
    }

    @Test(arguments: [false, true])
    func `all but the frame that is damaged is brought out as it was proven, wherever the damage is`(
        compacts: Bool
    ) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("salvage: seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let groupChanges = 12
        let history = try History(&generator, changes: 700, groupChanges: groupChanges, compacts: compacts)
        let newest = history.newest()
        let segments = try FileManager.default.contentsOfDirectory(atPath: history.folder.path).sorted()
            .filter { $0.hasSuffix(".log") && !history.folder.isPrepared($0) }
        #expect(segments.count > 3)
        for _ in 0..<60 {
            let copy = TemporaryFolder()
            try FileManager.default.removeItem(atPath: copy.path)
            try FileManager.default.copyItem(atPath: history.folder.path, toPath: copy.path)
            let name = try #require(segments.randomElement(using: &generator))
            let offset = Int.random(in: 0..<(try Self.usedBytes(copy.file(name))), using: &generator)
            try Self.damage(copy.file(name), at: offset, bit: Int.random(in: 0..<8, using: &generator))
            let image = try StoreImage(reading: copy.path, skipsDamage: true)
            let place = Comment("\(name) at \(offset), seed \(seed)")
            let coverage = image.inspection.coverage
            // One frame at most, or the segment with the missing header; and nothing of another segment.
            #expect(coverage.gaps.count <= 1, place)
            let lost = coverage.gaps.first
            if let lost {
                let first = try Self.firstRevision(history.folder.file(name))
                let next = segments.drop { $0 != name }.dropFirst().first
                let after = try next.map { try Self.firstRevision(history.folder.file($0)) }
                #expect(lost.lowerBound >= first && lost.upperBound < after ?? .max, place)
                if offset >= 4_096 { #expect(image.inspection.segments.allSatisfy { $0.header != nil }, place) }
            }
            let end = coverage.endIsUnknown ? image.inspection.newestRevision : .max
            let isLost = { (revision: UInt64) in lost?.contains(revision) == true || revision > end }
            let expected = history.newest(without: isLost)
            var found: Set<String> = []
            image.forEach { record in
                let key = String(decoding: record.key, as: UTF8.self)
                found.insert(key)
                #expect(expected[key]?.value == String(decoding: record.value, as: UTF8.self), place)
                #expect(expected[key]?.revision == record.revision, place)
                // Records reported as proven equal those before the damage.
                if image.isProven(record) { #expect(newest[key]?.revision == record.revision, place) }
                return true
            }
            #expect(found == Set(expected.filter { $0.value.value != nil }.keys), place)
        }
    }

    @Test func `of damage in several files, parts of the snapshot among them, nothing is invented`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("salvage of several files: seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let history = try History(&generator, changes: 700, groupChanges: 12, compacts: true)
        let newest = history.newest()
        let files = try FileManager.default.contentsOfDirectory(atPath: history.folder.path).sorted()
            .filter { $0.hasSuffix(".log") && !history.folder.isPrepared($0) || $0.hasSuffix(".snapshot") }
        let base = try StoreImage(reading: history.folder.path).inspection.manifest?.base.lastRevision ?? 0
        #expect(base > 0)
        for round in 0..<40 {
            let copy = TemporaryFolder()
            try FileManager.default.removeItem(atPath: copy.path)
            try FileManager.default.copyItem(atPath: history.folder.path, toPath: copy.path)
            if round % 4 == 0 { try FileManager.default.removeItem(atPath: copy.file("MANIFEST")) }
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let name = try #require(files.randomElement(using: &generator))
                let offset = Int.random(in: 0..<(try Self.usedBytes(copy.file(name))), using: &generator)
                try Self.damage(copy.file(name), at: offset, bit: Int.random(in: 0..<8, using: &generator))
            }
            let image = try StoreImage(reading: copy.path, skipsDamage: true)
            let coverage = image.inspection.coverage
            let place = Comment("round \(round), seed \(seed), unknown: \(coverage.unknownText)")
            var found: [String: UInt64] = [:]
            image.forEach { record in
                let key = String(decoding: record.key, as: UTF8.self)
                found[key] = record.revision
                let change = history.changes[record.revision]
                #expect(change?.key == key && change?.value == String(decoding: record.value, as: UTF8.self), place)
                if image.isProven(record) { #expect(newest[key]?.revision == record.revision, place) }
                return true
            }
            // The last set in every intact frame is present.
            let end = coverage.endIsUnknown ? image.inspection.newestRevision : .max
            for (key, change) in newest where change.value != nil && change.revision > base && change.revision <= end {
                if coverage.gaps.contains(where: { $0.contains(change.revision) }) { continue }
                #expect(found[key] == change.revision, place)
            }
        }
    }

    @Test func `export writes it, says what is missing, and import makes a store of it`() throws {
        let store = try MadeStore()
        let segments = try store.files(".log")
        try store.patch(segments[1], at: 5_000, [0xFF])
        let before = store.folder.state
        let refused = try Tool("export", store.path)
        #expect(refused.status == 65 && refused.error.contains("txlog export \(store.path) --skip-damage --output"))
        let file = store.folder.file("out.ndjson")
        let export = try Tool("export", store.path, "--skip-damage", "--output", file)
        #expect(export.status == 3, "\(export.error)")
        #expect(export.error.contains("\(segments[1]): skipped the damage at offset"), "\(export.error)")
        #expect(export.error.contains("10 revisions are unknown: "), "\(export.error)")
        #expect(export.error.contains("490 records written"), "\(export.error)")
        #expect(store.folder.state.filter { $0.key != "out.ndjson" } == before)

        let repair = try Tool("repair", store.path)
        #expect(repair.status == 65)
        #expect(repair.output.contains("what is left (10 revisions are unknown: "), "\(repair.output)")
        #expect(repair.output.contains("Lost: 4") && repair.output.contains(" revisions, "), "\(repair.output)")
        #expect(repair.output.contains("txlog export \(store.path) --skip-damage"), "\(repair.output)")

        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == MadeStore.keys - 10)
        // The frames before the damage may contain keys that were changed in it; those behind it cannot.
        let unsure = lines.count { $0.contains(#""may_be_older":true"#) }
        #expect(unsure > 0 && unsure < 200)
        let imported = try Tool("import", store.folder.file("new"), file, "--segment-bytes", "1MiB")
        #expect(imported.status == 0 && imported.output.contains("490 keys"), "\(imported.error)")
    }

    @Test func `a whole log is exported as without the flag`() throws {
        let store = try MadeStore()
        let (plain, skipping) = (try Tool("export", store.path), try Tool("export", store.path, "--skip-damage"))
        #expect(plain.status == 0 && skipping.status == 0 && plain.output == skipping.output)
    }

    @Test(arguments: TxlogRepairTests.Damage.allCases)
    func `of any damage it brings out at least what a repair leaves`(damage: TxlogRepairTests.Damage) throws {
        let store = try MadeStore()
        try damage.apply(to: store)
        let export = try Tool("export", store.path, "--skip-damage")
        #expect(export.status == 3, "\(export.error)")
        let brought = Set(try export.output.split(separator: "\n").map { try Self.key($0) })
        #expect(try Tool("repair", store.path, "--yes", "--accept-data-loss").status == 0)
        let left = Set(try store.records().keys)
        #expect(brought.isSuperset(of: left), "\(left.subtracting(brought).sorted())")
        switch damage {
        case .manifest, .missingManifest, .onlySnapshot: #expect(brought.count == MadeStore.keys)
        case .flippedBit: #expect(brought.count == MadeStore.keys - 10)
        case .missingSegment, .emptySegment, .damagedHeader, .foreignSegment: #expect(brought.count > 350)
        case .shortSegment, .cutPart: #expect(brought.count > 200)
        }
    }

    private static func key(_ line: Substring) throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        return try #require(object?["key"] as? String)
    }

    @Test func `an import takes what dump has written`() throws {
        let store = try MadeStore()
        let engine = try EmbeddedEngine(opening: MadeStore.configuration(store.path))
        let writer = BulkWriter(engine)
        for number in 1...100 { try writer.delete(Array(MadeStore.key(number).utf8)) }
        try writer.set([0xFF, 0], [1, 0xFE])
        try writer.set(Array("\"é\\x41\u{200B}".utf8), Array("a\nb\u{7F}\u{2028}\\n\u{1F600}".utf8))
        try writer.finish()
        engine.close()
        #expect(try Tool("compact", store.path).status == 0)
        let again = try EmbeddedEngine(opening: MadeStore.configuration(store.path))
        let second = BulkWriter(again)
        for number in 101...150 { try second.delete(Array(MadeStore.key(number).utf8)) }
        try second.finish()
        again.close()
        let records = { (text: String) in try text.split(separator: "\n").map { try Self.withoutVersion($0) } }
        let old = try Tool("export", store.path)
        for format in ["text", "ndjson"] {
            let dump = try Tool("dump", store.path, "--format", format)
            try dump.output.write(toFile: store.folder.file(format), atomically: true, encoding: .utf8)
            let imported = try Tool(
                "import", store.folder.file("new-\(format)"), store.folder.file(format),
                "--segment-bytes", "64KiB")
            #expect(imported.status == 0, "\(imported.error)")
            let new = try Tool("export", store.folder.file("new-\(format)"))
            #expect(try records(old.output) == records(new.output) && !old.output.isEmpty, "\(format)")
        }

        let bare = try Tool("dump", store.path, "--format", "ndjson", "--no-values")
        let refused = try Tool(
            "import", store.folder.file("bare"), "-", "--segment-bytes", "64KiB", input: bare.output)
        #expect(refused.status == 65 && refused.error.contains("--no-values"), "\(refused.error)")
        let bareText = try Tool("dump", store.path, "--no-values").output
        let refusedText = try Tool(
            "import", store.folder.file("bare"), "-", "--segment-bytes", "64KiB", input: bareText)
        #expect(refusedText.error.contains("--no-values"))
        for strange in [
            #"{"revision":1,"op":"swap","key":"a","value":"b","file":"f"}"#, #"1 swap "a" "b""#, #"1 set "a""#,
            #"1 set "a" "b" c"#, #"1 set "a" "b"#, #"1 set "\q" "b""#, #"1 set "\x+1" "b""#, #"1 delete """#,
        ] {
            let folder = TemporaryFolder()
            let run = try Tool("import", folder.file("kv"), "-", "--segment-bytes", "64KiB", input: strange)
            #expect(run.status == 65 && run.error.contains("standard input line 1: "), "\(strange): \(run.error)")
        }
    }

    private static func withoutVersion(_ line: Substring) throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        return object.filter { $0.key != "revision" }.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
    }

    @Test(arguments: [
        ("64KiB", true), ("1MiB", true), ("65536", true), ("1kB", false), ("5GiB", false), ("32KiB", false),
    ])
    func `a segment's size has a unit as the services take it`(text: String, isTaken: Bool) throws {
        let folder = TemporaryFolder()
        let run = try Tool(
            "import", folder.file("kv"), "-", "--segment-bytes", text, input: #"{"key":"a","value":"1"}"#)
        #expect(run.status == (isTaken ? 0 : 64), "\(run.error)")
        if !isTaken { #expect(run.error.contains("'\(text)' is not a size in bytes"), "\(run.error)") }
    }
}
