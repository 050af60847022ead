import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Writes with a condition", .timeLimit(.minutes(10)))
    struct ConditionalWriteTests {
        private static let key = Array("contested".utf8)
        private static let rounds = 200
        private static let clients = 16

        /// Who won a round: each client adds itself at most once.
        private final class Round: Sendable {
            struct Outcome {
                var winners: [(value: [UInt8], revision: Int)] = []
                var losers: [Int?] = []
                var others: [String] = []
            }

            let outcome = Mutex(Outcome())
        }

        private func revision(_ answer: HTTPAnswer) throws -> Int {
            try #require(try answer.json.integer("revision"), "\(answer.text)")
        }

        /// The value of a series of kv-service.
        private func figure(_ series: String, _ services: Services) throws -> Substring {
            let text = try HTTPConnection(port: services.kvPort).request("GET", "/metrics").text
            let line = text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
            return try #require(line, "\(series)").dropFirst(series.utf8.count + 1)
        }

        /// In each round clients write under the same condition: those of kv-service, those of the gateway, or all.
        @Test func `of racers with the same condition exactly one wins, and its value stays after a kill -9`() throws {
            let services = try Services()
            let clients = try (0..<Self.clients).map {
                try KeyValueClient(services, through: Front.allCases[$0 % Front.allCases.count])
            }
            var last = try self.revision(try clients[0].set(Self.key, [0]))
            var value: [UInt8] = [0]
            var winsThrough = [0, 0]
            for number in 0..<Self.rounds {
                let round = Round()
                // Every tenth round is one for a key that is new.
                let isNew = number % 10 == 9
                let key = isNew ? Array("new \(number)".utf8) : Self.key
                let condition = isNew ? ("If-None-Match", "*") : ("If-Match", "\"\(last)\"")
                let threads = Threads()
                let racers = clients.enumerated().filter { number % 3 == 2 || $0.offset % 2 == number % 3 }
                for (index, client) in racers {
                    nonisolated(unsafe) let client = client
                    threads.start {
                        let own = Array("\(number) of \(index)".utf8)
                        let answer = try? client.set(key, own, headers: [condition])
                        round.outcome.withLock { outcome in
                            let revision = (try? answer?.json.integer("revision")) ?? nil
                            switch answer?.status {
                            case 200: outcome.winners.append((own, revision ?? 0))
                            case 412: outcome.losers.append(revision)
                            default: outcome.others.append(answer?.text ?? "no answer")
                            }
                        }
                    }
                }
                threads.join(seconds: 30)
                let outcome = round.outcome.withLock { $0 }
                try #require(outcome.others == [] && outcome.winners.count == 1, "round \(number): \(outcome)")
                #expect(outcome.losers == Array(repeating: outcome.winners[0].revision, count: racers.count - 1))
                #expect(outcome.winners[0].revision == last + 1)
                last = outcome.winners[0].revision
                if !isNew { value = outcome.winners[0].value }
                if isNew {
                    // The next round needs the revision of the contested key.
                    last = try self.revision(try clients[0].set(Self.key, value))
                }
                winsThrough[Int(String(decoding: outcome.winners[0].value, as: UTF8.self).suffix(1))! % 2] += 1
            }
            print("conditional writes: rounds won at kv-service, and through the gateway: \(winsThrough)")
            #expect(winsThrough.allSatisfy { $0 > Self.rounds / 4 })
            try services.kv.crash()
            let again = try Services(folder: services.folder)
            let answer = try KeyValueClient(again, through: .apiGateway).getRaw(Self.key)
            #expect(answer.body == value && answer["ETag"] == "\"\(last)\"")
        }

        @Test func `an unmet condition writes nothing, neither to the log nor as a revision`() throws {
            let services = try Services()
            let key = Self.key
            let stored = try KeyValueClient(services, through: .kvService).set(key, [1])
            let revision = try self.revision(stored)
            let appended = try self.figure("kv_log_appended_bytes_total", services)
            for front in Front.allCases {
                let client = try KeyValueClient(services, through: front)
                for answer in [
                    try client.set(key, [2], headers: [("If-None-Match", "*")]),
                    try client.set(key, [2], headers: [("If-Match", "\"\(revision + 1)\"")]),
                    try client.setJSON(#"{"key":"contested","value":"2","if_absent":true}"#),
                    try client.setJSON(#"{"key":"contested","value":"2","if_revision":\#(revision + 1)}"#),
                    try client.delete(key, headers: [("If-Match", "\"\(revision + 1)\"")]),
                    try client.delete(key, headers: [("If-None-Match", "*")]),
                ] {
                    #expect(answer.status == 412, "\(front): \(answer.text)")
                    #expect(answer["ETag"] == stored["ETag"])
                    #expect(try self.revision(answer) == revision)
                    #expect(try answer.json.string("code") == "precondition_failed")
                    #expect(try answer.json.string("applied") == "no")
                }
                for answer in [
                    try client.set([9], [2], headers: [("If-Match", "*")]),
                    try client.delete([9], headers: [("If-Match", "\"1\"")]),
                ] {
                    #expect(answer.status == 412 && answer["ETag"] == nil, "\(front): \(answer.text)")
                    #expect(try answer.json.integer("revision") == nil)
                }
                let read = try client.get(key, headers: [("If-None-Match", "\"\(revision)\"")])
                #expect(read.status == 304 && read.body.isEmpty && read["ETag"] == stored["ETag"])
                #expect(try client.getRaw(key).body == [1])
            }
            #expect(try self.figure("kv_log_appended_bytes_total", services) == appended)
            #expect(try self.figure(#"kv_operations_total{op="set",result="unmet"}"#, services) == "10")
            #expect(try self.figure(#"kv_operations_total{op="delete",result="unmet"}"#, services) == "6")
            let next = try KeyValueClient(services, through: .apiGateway)
                .set(key, [3], headers: [("If-Match", "\"\(revision)\"")])
            #expect(try self.revision(next) == revision + 1)
        }
    }
}
