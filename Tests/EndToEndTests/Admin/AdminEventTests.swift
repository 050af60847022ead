import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("What a service tells of what has happened", .timeLimit(.minutes(10)))
    struct AdminEventTests {
        @Test func `a start is told in order, by increasing numbers, and counted`() throws {
            let services = try Services()
            let kv = try AdminDocuments.events(services.kvPort)
            #expect(kv.map { $0.string("kind") } == ["started", "listening", "replay_ended", "ready"])
            #expect(kv.map { $0.integer("number") } == [1, 2, 3, 4])
            #expect(kv.allSatisfy { $0.string("time")?.hasSuffix("Z") == true })
            let gateway = try AdminDocuments.events(services.gatewayPort).compactMap { $0.string("kind") }
            #expect(Set(gateway) == ["started", "listening", "upstream_back", "ready"])
            let text = try HTTPConnection(port: services.kvPort).request("GET", "/metrics").text
            #expect(text.contains("\nkv_events_total{kind=\"ready\"} 1\n"))
            #expect(text.contains("\nkv_events_total{kind=\"log_failed\"} 0\n"))
        }

        @Test func `a start after a crash says where the log ends, and one after a stop has nothing to say`() throws {
            let folder = TemporaryFolder()
            let first = try Services(folder: folder, withGateway: false)
            #expect(try KeyValueClient(port: first.kvPort, through: .kvService).set([1], [1]).status == 200)
            try first.kv.crash()
            for isClean in [false, true] {
                let services = try Services(folder: folder, withGateway: false)
                let port = services.kvPort
                let told = try AdminDocuments.events(port).first { $0.string("kind") == "unclean_stop" }
                #expect((told == nil) == isClean)
                let replay = try AdminDocuments.get(port, "/admin").object("replay")
                #expect(replay.members["clean_shutdown"] as? Bool == isClean)
                let text = try HTTPConnection(port: port).request("GET", "/metrics").text
                #expect(text.contains("\nkv_log_clean_shutdown \(isClean ? 1 : 0)\n"))
                #expect(text.contains("\nkv_events_total{kind=\"unclean_stop\"} \(isClean ? 0 : 1)\n"))
                if let details = told?.object("details") {
                    #expect(details.string("file") == "0000000000000001.log" && details.integer("revision") == 1)
                    let time = details.string("last_frame_at")
                    #expect(time?.hasSuffix("Z") == true && replay.string("last_frame_at") == time)
                }
                _ = try services.stop()
            }
        }

        @Test func `a reader that asks for what comes after a number gets just that`() throws {
            let services = try Services(withGateway: false)
            let port = services.kvPort
            let before = try #require(try AdminDocuments.get(port, "/admin/events").integer("last_number"))
            let id = try Compaction.ask(port)
            let ended = try AdminDocuments.event("compaction_ended", port, after: before)
            #expect(ended.object("details").integer("run_id") == id)
            #expect(ended.object("details").string("result") == "ok")
            let kinds = try AdminDocuments.events(port, after: before).map { $0.string("kind") }
            #expect(kinds == ["compaction_started", "compaction_ended"])
            #expect(try AdminDocuments.events(port, after: before + 2).isEmpty)
            #expect(try AdminDocuments.events(port, after: 1_000_000).isEmpty)
        }
    }
}
