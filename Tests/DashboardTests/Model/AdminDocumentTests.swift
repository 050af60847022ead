import DashboardModel
import JSON
import TestSupport
import Testing

@Suite("An admin document", .timeLimit(.minutes(1)))
struct AdminDocumentTests {
    @Test func `keeps nil what it does not have`() throws {
        let admin = try AdminSnapshot(parsing: Array(#"{"service":"kv-service","log":{"size_bytes":10}}"#.utf8))
        #expect(admin.service == "kv-service")
        #expect(admin.log?.sizeBytes == 10)
        #expect(admin.log?.garbageBytes == nil)
        #expect(admin.compaction == nil)
        #expect(admin.state == nil)
    }

    @Test func `with members of other types does not mislead`() throws {
        let text = #"{"service":5,"log":[],"checks":{"a":1},"compaction":{"running":"yes","progress_ratio":"half"}}"#
        let admin = try AdminSnapshot(parsing: Array(text.utf8))
        #expect(admin.service == nil)
        #expect(admin.checks.isEmpty)
        #expect(admin.compaction?.isRunning == nil)
        #expect(admin.compaction?.progress == nil)
    }

    @Test func `tells of a compaction under either set of names`() throws {
        let text =
            #"{"compaction":{"state":"running","phase":"snapshot","progress":0.5,"bytes_read":3,"eta_seconds":2}}"#
        let compaction = try #require(try AdminSnapshot(parsing: Array(text.utf8)).compaction)
        #expect(compaction.isRunning == true)
        #expect(compaction.progress == 0.5)
        #expect(compaction.phase == "snapshot")
        #expect(compaction.last == nil)
    }

    @Test func `tells of a compaction as kv-service does`() throws {
        let text = """
            {"compaction":{"state":"running","running":true,"phase":"snapshot","progress_ratio":0.25,
              "run":{"id":3,"trigger":"admin","bytes_read":5,"bytes_written":4,"keys_kept":7,"throttled_seconds":0.5,
                "eta_seconds":null},
              "last":{"id":2,"trigger":"auto","result":"error","error":"disk full","keys_kept":1,"keys_dropped":2},
              "blocked_by":"no space","threshold_ratio":0.5,"minimum_bytes":1024}}
            """
        let compaction = try #require(try AdminSnapshot(parsing: Array(text.utf8)).compaction)
        #expect(compaction.bytesRead == 5 && compaction.bytesWritten == 4 && compaction.keysKept == 7)
        #expect(compaction.throttledSeconds == 0.5 && compaction.etaSeconds == nil)
        #expect(compaction.blockedBy == "no space" && compaction.minimumBytes == 1024)
        #expect(compaction.last?.isOK == false && compaction.last?.error == "disk full")
        #expect(compaction.last?.keysDropped == 2)
    }

    @Test(arguments: [
        "", "{", "[1", "nul", "{\"a\":}", "{\"a\" 1}", "1 2", "\"\u{1}\"", "{\"a\":01x}", #"["\ud83d"]"#, "[1e999]",
        "[1,]",
    ])
    func `that is no JSON is refused`(_ text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONTree(parsing: Array(text.utf8)) }
    }

    @Test func `that is nested without end is refused`() {
        let text = String(repeating: "[", count: 100_000)
        #expect(throws: JSONSyntaxError.self) { try JSONTree(parsing: Array(text.utf8)) }
    }

    @Test func `has its escapes decoded`() throws {
        let tree = try JSONTree(parsing: Array(#"["a\n\u00e9\ud83d\ude00","\\\/\""]"#.utf8))
        #expect(tree.elements.map(\.string) == ["a\né😀", "\\/\""])
    }
}
