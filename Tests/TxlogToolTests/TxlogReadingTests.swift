import DurableFiles
import Foundation
import Glibc
import KeyValueStore
import TestSupport
import Testing

@Suite("txlog reads a folder", .timeLimit(.minutes(1)))
struct TxlogReadingTests {
    @Test func `the golden folder is fine, and no reading command changes it`() throws {
        let golden = Repository.path("Tests/TransactionLogTests/Golden/version-1")
        let folder = TemporaryFolder()
        for name in try FileManager.default.contentsOfDirectory(atPath: golden) {
            try FileManager.default.copyItem(atPath: "\(golden)/\(name)", toPath: folder.file(name))
        }
        let before = folder.state
        let verify = try Tool("verify", folder.path)
        #expect(verify.status == 0, "\(verify.output)\(verify.error)")
        #expect(verify.output.hasSuffix("Fine: kv-service accepts the folder as it is.\n"))
        let stat = try Tool("stat", folder.path, "--json")
        #expect(stat.status == 0)
        #expect(try stat.json()["segments"] as? [Any] != nil)
        #expect(try Tool("dump", folder.path).output.contains(" set "))
        #expect(try Tool("export", folder.path).status == 0)
        #expect(folder.state == before)
    }

    @Test func `stat counts segments, revisions, keys and live bytes`() throws {
        let store = try MadeStore()
        let run = try Tool("stat", store.path, "--json")
        let found = try run.json()
        #expect(run.status == 0)
        #expect(found["keys"] as? Int == MadeStore.keys)
        #expect(found["last_revision"] as? Int == MadeStore.keys)
        #expect(found["clean_shutdown"] as? Bool == true)
        #expect(found["sync"] as? String == "always")
        let segments = try #require(found["segments"] as? [[String: Any]])
        #expect(segments.count == (try store.files(".log").count) && segments.count > 3)
        let live = segments.compactMap { $0["live_bytes"] as? Int }.reduce(0, +)
        #expect(live == found["live_bytes"] as? Int && live > MadeStore.keys * 90)
        let table = try Tool("stat", store.path)
        #expect(table.output.contains("closed cleanly") && table.output.contains("sealed"))
    }

    @Test func `dump gives operations by revision and key, with values or without, as text and as NDJSON`() throws {
        let store = try MadeStore()
        let line = try Tool("dump", store.path, "--from", "7", "--to", "7").output.split(separator: "\n").last
        #expect(line == "7 set \"key-0007\" \"\(MadeStore.value(7))\"")
        let some = try Tool(
            "dump", store.path, "--format", "ndjson", "--key-prefix", "key-003", "--no-values", "--from", "35"
        ).output.split(separator: "\n")
        #expect(some.count == 5)
        #expect(some.first?.hasPrefix(#"{"revision":35,"op":"set","key":"key-0035","value_bytes":"#) == true)
    }

    @Test func `a folder that a process holds is left alone, and the process is named`() throws {
        let folder = TemporaryFolder()
        let engine = try EmbeddedEngine(opening: MadeStore.configuration(folder.path))
        defer { engine.close() }
        for command in ["stat", "dump", "verify", "repair", "compact", "export"] {
            let run = try Tool(command, folder.path)
            #expect(run.status == 75, "\(command)")
            #expect(run.error.contains("is in use by tests, process \(getpid())"), "\(run.error)")
        }
    }

    @Test func `wrong use is 1, a folder without a log is 4, help and version are 0`() throws {
        #expect(try Tool("verify").status == 64)
        #expect(try Tool("dump", "/tmp", "--from", "9", "--to", "3").status == 64)
        #expect(try Tool("nonsense").status == 64)
        #expect(try Tool("verify", "/nowhere/at/all").status == 74)
        let folder = TemporaryFolder()
        let empty = try Tool("verify", folder.path)
        #expect(empty.status == 74 && empty.error.contains("no log"))
        #expect(folder.state.isEmpty)
        let help = try Tool("--help")
        #expect(help.status == 0 && help.output.contains("EXIT CODES"))
        #expect(try Tool("--version").output.hasPrefix("txlog "))
        #expect(try Tool("--generate-completion-script", "bash").output.contains("txlog"))
    }

    /// A limit of the file size simulates a full disk.
    @Test func `half an export does not stay`() throws {
        let store = try MadeStore()
        let file = store.folder.file("out.ndjson")
        let run = try Tool(under: "ulimit -f 16", "export", store.path, "--output", file)
        #expect(run.status == 74 && run.error == "txlog: write \(file): File too large (errno 27)\n", "\(run.error)")
        #expect(!FileManager.default.fileExists(atPath: file))
        // An existing file must not be removed.
        try Data("mine".utf8).write(to: URL(fileURLWithPath: file))
        #expect(try Tool(under: "ulimit -f 16", "export", store.path, "--output", file).status == 74)
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
    }

    @Test(.enabled(if: access("/usr/bin/strace", X_OK) == 0, "strace is not installed"))
    func `nor does one that could not be made durable`() throws {
        let store = try MadeStore()
        let file = store.folder.file("out.ndjson")
        let failing = #"set -- /usr/bin/strace -o /dev/null -e inject=fsync:error=EIO "$@""#
        let run = try Tool(under: failing, "export", store.path, "--output", file)
        #expect(run.status == 74 && run.error.contains("fsync \(file): Input/output error (errno 5)"), "\(run.error)")
        #expect(!FileManager.default.fileExists(atPath: file))
    }
}
