import Foundation
import Testing

extension EndToEnd {
    /// A process that may have few open files, and clients that take as many of them as they get.
    @Suite("Descriptors")
    struct Descriptors {
        private static let openFiles = 64
        private static let strangers = 150
        /// Runs a program with that limit, and without the files that the tests' own process has open.
        private static let lowLimit = """
            for file in /proc/self/fd/*; do
                number=${file##*/}
                if [ "$number" -gt 2 ]; then eval "exec $number>&-"; fi
            done
            ulimit -n \(openFiles)
            exec "$@"
            """

        @Test func `connections leave the log its files: it moves on to further segments, and is compacted`() throws {
            let folder = try TemporaryFolder()
            let service = try Services.startKV(
                in: folder, ["--segment-bytes", "1MiB"] + Compaction.onlyWhenAsked,
                wrapper: ["/bin/bash", "-c", Self.lowLimit, "bash"])
            let port = try service.waitForPort()
            try service.waitUntilReady(port: port)
            let client = try KeyValueClient(port: port, through: .kvService)
            #expect(try client.set([1], [1]).status == 200)
            let strangers = try (0..<Self.strangers).map { _ in try HTTPConnection(port: port) }
            let most = try Poll.until("as many connections are open as are taken, and the others are closed") {
                () -> Int? in
                let http = try client.connection.request("GET", "/admin").json.members["http"] as? [String: Any]
                let (open, most) = (http?["connections"] as? Int, http?["connections_max"] as? Int)
                let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(service.child.pid)/fd").count
                return open == most && files < Self.openFiles - 6 ? most : nil
            }
            #expect(most < Self.openFiles / 2 && most > Self.openFiles / 4)
            let value = [UInt8](repeating: 7, count: 60_000)
            var refused: String?
            for number in 0..<100 where refused == nil {
                let answer = try client.set([2, UInt8(number % 10)], value)
                if answer.status != 200 { refused = "\(number): \(answer.text)" }
            }
            #expect(refused == nil)
            #expect(try client.connection.request("POST", "/admin/compact", body: []).status == 202)
            let last = try Poll.until("the compaction has ended") { () -> [String: Any]? in
                let document = try client.connection.request("GET", "/admin").json
                return (document.members["compaction"] as? [String: Any])?["last"] as? [String: Any]
            }
            #expect(last["result"] as? String == "ok", "\(last)")
            #expect(service.log.contains { $0.string("message")?.hasPrefix("fewer connections are taken") == true })
            #expect(strangers.count == Self.strangers)
        }
    }
}
