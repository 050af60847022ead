import DurableFiles
import Foundation
import KeyValueStore
import LogFormat
import TestSupport
import Testing

@Suite("txlog repairs a folder", .timeLimit(.minutes(1)))
struct TxlogRepairTests {
    enum Damage: String, CaseIterable {
        case flippedBit, missingSegment, emptySegment, shortSegment, foreignSegment, damagedHeader, cutPart
        case manifest, missingManifest, onlySnapshot

        func apply(to store: MadeStore) throws {
            let segments = try store.files(".log")
            switch self {
            case .flippedBit: try store.patch(segments[1], at: 5_000, [0xFF])
            case .missingSegment: try FileManager.default.removeItem(atPath: store.folder.file(segments[2]))
            case .emptySegment, .shortSegment:
                let file = try #require(FileHandle(forWritingAtPath: store.folder.file(segments[2])))
                try file.truncate(atOffset: self == .emptySegment ? 0 : 9_001)
            case .onlySnapshot:
                // Like an incomplete copy of a folder.
                #expect(try Tool("compact", store.path).status == 0)
                for name in try store.files(".log") + ["MANIFEST"] {
                    try FileManager.default.removeItem(atPath: store.folder.file(name))
                }
            case .foreignSegment:
                let other = try MadeStore()
                try FileManager.default.removeItem(atPath: store.folder.file(segments[1]))
                try FileManager.default.copyItem(
                    atPath: other.folder.file(try other.files(".log")[1]), toPath: store.folder.file(segments[1]))
            case .damagedHeader: try store.patch(segments[0], at: 100, [1])
            case .cutPart:
                #expect(try Tool("compact", store.path).status == 0)
                let part = try #require(try store.files(".snapshot").first)
                let file = try #require(FileHandle(forWritingAtPath: store.folder.file(part)))
                try file.truncate(atOffset: try file.seekToEnd() / 2)
            case .manifest: try store.patch("MANIFEST", at: 40, [0x2A])
            case .missingManifest: try FileManager.default.removeItem(atPath: store.folder.file("MANIFEST"))
            }
        }
    }

    @Test(arguments: Damage.allCases)
    func `damage is found, given up only when told to, and a start accepts the rest`(damage: Damage) throws {
        let store = try MadeStore()
        try damage.apply(to: store)
        let before = store.folder.state
        let verify = try Tool("verify", store.path)
        #expect(verify.status == 65, "\(verify.output)")
        #expect(verify.output.contains("damage: ") && verify.output.contains("txlog repair \(store.path)"))
        let found = try Tool("verify", store.path, "--json").json()
        #expect(found["verdict"] as? String == "corruption" && (found["damage"] as? [Any])?.isEmpty == false)
        #expect(try Tool("stat", store.path).status == 65)
        #expect(try Tool("dump", store.path).status == 65)
        #expect(try Tool("export", store.path).status == 65)
        #expect(store.folder.state == before)
        #expect(throws: LogError.self) { try EmbeddedEngine(opening: MadeStore.configuration(store.path)) }
        let copied = store.folder.state.filter { $0.key != "LOCK" }

        let shown = try Tool("repair", store.path, "--yes")
        #expect(shown.status == 65 && shown.output.contains("Nothing was changed"))
        #expect(store.folder.state.filter { $0.key != "LOCK" } == copied)
        let repair = try Tool("repair", store.path, "--yes", "--accept-data-loss")
        #expect(repair.status == 0, "\(repair.output)\(repair.error)")
        let after = try Tool("verify", store.path)
        #expect(after.status == 0, "\(after.output)")
        let aside = try #require(
            FileManager.default.contentsOfDirectory(atPath: store.folder.file("quarantine")).first)
        #expect(repair.output.contains("quarantine/\(aside)"))

        let (values, lastRevision) = try store.open()
        for (key, value) in values {
            let number = try #require(Int(key.dropFirst(4)))
            #expect(value == MadeStore.value(number))
        }
        switch damage {
        case .manifest, .missingManifest, .onlySnapshot: #expect(values.count == MadeStore.keys)
        case .cutPart: #expect(values.count > MadeStore.keys / 4 && values.count < MadeStore.keys)
        case .damagedHeader: #expect(values.isEmpty && lastRevision == 0)
        default:
            #expect(values.count == Int(lastRevision) && lastRevision > 50 && lastRevision < UInt64(MadeStore.keys))
        }
    }

    @Test func `a torn tail is told, cut with its bytes kept, and nothing else is lost`() throws {
        let store = try MadeStore(closed: false)
        let last = try #require(try store.files(".log").last)
        try store.patch(last, at: Int(store.end), Array(repeating: 0xAB, count: 100))
        let before = store.folder.state
        let verify = try Tool("verify", store.path)
        #expect(verify.status == 2, "\(verify.output)")
        #expect(try Tool("stat", store.path).status == 2)
        #expect(try Tool("dump", store.path).status == 2)
        let export = try Tool("export", store.path)
        #expect(export.status == 2 && export.error.contains("everything acknowledged is exported"))
        #expect(export.output.split(separator: "\n").count == MadeStore.keys)
        #expect(store.folder.state == before)
        let shown = try Tool("repair", store.path)
        #expect(shown.status == 2 && shown.output.contains("Nothing was changed"))
        let repair = try Tool("repair", store.path, "--yes", "--aside", store.folder.file("aside"))
        #expect(repair.status == 0, "\(repair.output)\(repair.error)")
        #expect(FileManager.default.fileExists(atPath: store.folder.file("aside/\(last)")))
        #expect(try Tool("verify", store.path).status == 0)
        let (values, lastRevision) = try store.open()
        #expect(values.count == MadeStore.keys && lastRevision == UInt64(MadeStore.keys))
    }

    @Test func `copies that cannot be made leave everything as it was`() throws {
        let store = try MadeStore()
        try Damage.flippedBit.apply(to: store)
        let before = store.folder.state
        let aside = TemporaryFolder()
        _ = FileManager.default.createFile(atPath: aside.file(try store.files(".log")[2]), contents: Data("mine".utf8))
        let repair = try Tool("repair", store.path, "--yes", "--accept-data-loss", "--aside", aside.path)
        #expect(repair.status == 74, "\(repair.output)")
        #expect(repair.error.contains("File exists") && repair.error.contains("Nothing of the log was changed"))
        #expect(repair.error.contains("--aside"))
        #expect(store.folder.state.filter { $0.key != "LOCK" } == before.filter { $0.key != "LOCK" })
        // No incomplete copies, and the previous content.
        #expect(try FileManager.default.contentsOfDirectory(atPath: aside.path) == [try store.files(".log")[2]])
        #expect(FileManager.default.contents(atPath: aside.file(try store.files(".log")[2])) == Data("mine".utf8))
    }

    @Test func `a last segment that was cut after a crash is told, and filled up again`() throws {
        let store = try MadeStore(closed: false)
        let last = try #require(try store.files(".log").last)
        let file = try #require(FileHandle(forWritingAtPath: store.folder.file(last)))
        try file.truncate(atOffset: store.end - 30)
        let verify = try Tool("verify", store.path)
        #expect(verify.status == 65 && verify.output.contains("was created with 16384"), "\(verify.output)")
        let found = try Tool("verify", store.path, "--json").json()
        #expect((found["cut_file"] as? [String: Any])?["made_bytes"] as? Int == 16_384)
        let repair = try Tool("repair", store.path, "--yes", "--accept-data-loss")
        #expect(
            repair.status == 0 && repair.output.contains("fill \(last) with zeros"), "\(repair.output)\(repair.error)")
        let again = try Tool("verify", store.path)
        #expect(again.status == 0, "\(again.output)\(again.error)")
        #expect(try store.open().values.count == MadeStore.keys - 10)
    }

    @Test func `a log that was cut after its clean stop is told`() throws {
        let store = try MadeStore()
        let last = try #require(try store.files(".log").last)
        try store.patch(last, at: Int(store.end) - 2_000, Array(repeating: 0, count: 2_000))
        let verify = try Tool("verify", store.path)
        #expect(verify.status == 65 && verify.output.contains("as at the last clean stop"), "\(verify.output)")
        let repair = try Tool("repair", store.path, "--yes", "--accept-data-loss")
        #expect(repair.status == 0, "\(repair.output)\(repair.error)")
        let again = try Tool("verify", store.path)
        #expect(again.status == 0, "\(again.output)\(again.error)")
    }

    @Test func `of a snapshot that is gone with its manifest a repair says what is lost`() throws {
        let store = try MadeStore()
        #expect(try Tool("compact", store.path).status == 0)
        for name in try store.files(".snapshot") + ["MANIFEST"] {
            try FileManager.default.removeItem(atPath: store.folder.file(name))
        }
        let shown = try Tool("repair", store.path)
        #expect(shown.status == 65 && shown.output.contains("every key that was set up to revision \(MadeStore.keys)"))
        #expect(try Tool("repair", store.path, "--yes", "--accept-data-loss").status == 0)
        #expect(try Tool("verify", store.path).status == 0)
    }

    @Test func `a whole folder needs no repair`() throws {
        let store = try MadeStore()
        let run = try Tool("repair", store.path, "--yes", "--accept-data-loss")
        #expect(run.status == 0 && run.output.hasPrefix("Nothing to repair"))
    }
}
