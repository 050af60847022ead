import Foundation
import Testing

extension EndToEnd {
    @Suite("Docs/Logs.md")
    struct LogDocument {
        @Test func `has every message and every member that both services wrote`() throws {
            let file = URL(fileURLWithPath: RepositoryTool.path("")).deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("Docs/Logs.md").path
            let document = try FileText.text(file)
            let services = try Services()
            for front in Front.allCases {
                let client = try KeyValueClient(services, through: front)
                #expect(try client.set([1], [1]).status == 200)
                #expect(try client.get([2]).status == 404)
                #expect(try client.delete([1]).status == 200)
            }
            let started = try HTTPConnection(port: services.kvPort).request("POST", "/admin/compact")
            #expect(started.status == 202)
            try services.kv.waitForLog("compaction done")
            _ = try services.stop()
            for service in [services.kv, try #require(services.gateway)] {
                let lines = service.log
                #expect(lines.count > 5)
                for line in lines {
                    for name in line.members.keys {
                        #expect(document.contains("`\(name)`"), "\(line.string("message") ?? ""): \(name)")
                    }
                    #expect(document.contains("`\(line.string("message") ?? "")`"))
                }
            }
        }
    }
}
