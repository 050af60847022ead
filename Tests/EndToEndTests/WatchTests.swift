import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Watching", .timeLimit(.minutes(10)))
    struct WatchTests {
        private static func port(_ services: Services, _ front: Front) -> UInt16 {
            front == .kvService ? services.kvPort : services.gatewayPort
        }

        private func watch(
            _ services: Services, _ front: Front, _ query: String, headers: [String] = [], version: String = "1.1",
            receiveBufferBytes: Int32? = nil
        ) throws -> WatchStream {
            let stream = try WatchStream(
                port: Self.port(services, front), "/\(front.rawValue)/watch?\(query)", headers: headers,
                version: version, receiveBufferBytes: receiveBufferBytes)
            try #require(stream.status == 200, "\(stream.head)")
            guard case .comment(let begin)? = try stream.next() else { throw MalformedAnswer(reason: "no begin") }
            #expect(begin.hasPrefix(": watching from revision "))
            return stream
        }

        private func code(_ event: (name: String, id: UInt64?, data: String)?) throws -> String? {
            guard let event, event.name == "end" else { return nil }
            return try JSONObject(event.data.utf8).string("code")
        }

        private func gauge(_ name: String, _ port: UInt16) throws -> Double? {
            try HTTPConnection(port: port).request("GET", "/metrics").text.split(separator: "\n")
                .first { $0.hasPrefix(name + " ") }.flatMap { Double($0.split(separator: " ")[1]) }
        }

        @Test func `gives each change once, in order, of the keys that were asked for, through both services`() throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .kvService)
            #expect(try client.set(Array("before".utf8), [0x31]).status == 200)
            for front in Front.allCases {
                let first = try #require(try client.keys("").json.integer("revision"))
                let all = try self.watch(services, front, "")
                let users = try self.watch(services, front, "prefix=user/&previous=true")
                let one = try self.watch(services, front, "key=user/1", version: "1.0")
                #expect(try client.set(Array("user/1".utf8), Array("a".utf8)).status == 200)
                #expect(try client.set(Array("other".utf8), [0xFF, 0x00]).status == 200)
                #expect(try client.set(Array("user/1".utf8), Array("b\nc".utf8)).status == 200)
                #expect(try client.set(Array("user/10".utf8), Array("d".utf8)).status == 200)
                #expect(try client.delete(Array("user/1".utf8)).status == 200)
                #expect(try client.delete(Array("user/10".utf8)).status == 200)
                let revisions = (1...6).map { UInt64(first + $0) }
                let events = try (0..<6).map { _ in try #require(try all.nextEvent()) }
                #expect(events.map(\.id) == revisions && events.allSatisfy { $0.name == "change" })
                #expect(events[1].data.contains(#""key":"other","value_b64":"/wA=","revision":\#(first + 2)}"#))
                let user = try (0..<5).map { _ in try #require(try users.nextEvent()) }
                #expect(user.map(\.id) == [1, 3, 4, 5, 6].map { UInt64(first + $0) })
                #expect(
                    user[1].data == #"{"revision":\#(first + 3),"changes":[{"type":"set","key":"user/1","#
                        + #""value":"b\nc","revision":\#(first + 3),"previous":{"value":"a","revision":\#(first + 1)}}]}"#
                )
                #expect(
                    user[3].data == #"{"revision":\#(first + 5),"changes":[{"type":"delete","key":"user/1","#
                        + #""revision":\#(first + 5),"previous":{"value":"b\nc","revision":\#(first + 3)}}]}"#)
                #expect(!user[2].data.contains("previous"))
                let ofKey = try (0..<3).map { _ in try #require(try one.nextEvent()) }
                #expect(ofKey.map(\.id) == [1, 3, 5].map { UInt64(first + $0) })
            }
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test func `refusals and forms, the same through both services`() throws {
            let services = try Services(
                kvArguments: ["--watch-history-bytes", "65536", "--max-watchers", "1"],
                gatewayArguments: ["--max-watchers", "1"])
            let client = try KeyValueClient(services, through: .kvService)
            for number in 0..<20 {
                #expect(try client.set([UInt8(number) + 65], [UInt8](repeating: 65, count: 20_000)).status == 200)
            }
            for front in Front.allCases {
                let connection = try HTTPConnection(port: Self.port(services, front))
                func get(_ query: String, _ headers: [(String, String)] = []) throws -> HTTPAnswer {
                    try connection.request("GET", "/\(front.rawValue)/watch?\(query)", headers: headers)
                }
                let compacted = try get("since=1")
                #expect(compacted.status == 410)
                #expect(try compacted.json.string("code") == "revision_compacted")
                let oldest = try #require(try compacted.json.integer("oldest_revision"))
                #expect((2..<20).contains(oldest))
                #expect(
                    try get("since=\(oldest)&mode=poll&limit=1").json.objects("events").first?.integer("revision")
                        == oldest + 1)
                let future = try get("mode=poll", [("Last-Event-ID", "21")])
                #expect(try future.status == 400 && future.json.integer("revision") == 20)
                #expect(try future.json.string("code") == "revision_in_the_future")
                for (query, code) in [
                    ("since=x", "bad_revision"), ("mode=both", "bad_query"), ("key=a&prefix=b", "bad_query"),
                    ("since=1&since=1", "duplicate_parameter"), ("from=1", "unknown_parameter"), ("a", "bad_query"),
                ] {
                    let refused = try get(query)
                    #expect(try refused.status == 400 && refused.json.string("code") == code, "\(query)")
                }
                #expect(try connection.request("POST", "/\(front.rawValue)/watch", body: []).status == 405)
                let empty = try get("mode=poll&wait_ms=1&prefix=none")
                #expect(empty.text == #"{"status":"ok","events":[],"revision":20}"# + "\n")
                let head = try HTTPConnection(port: Self.port(services, front)).request(
                    "HEAD", "/\(front.rawValue)/watch")
                #expect(head.status == 200 && head["Content-Type"] == "text/event-stream")
                let watching = try self.watch(services, front, "")
                let tooMany = try get("")
                #expect(try tooMany.status == 503 && tooMany.json.string("code") == "too_many_watchers")
                #expect(watching.status == 200)
                _ = consume watching
                _ = try Poll.until("the place of a client that has gone is free") {
                    try get("mode=poll&wait_ms=1&prefix=none").status == 200 ? true : nil
                }
                #expect(try self.gauge("kv_watchers", services.kvPort) == 0)
            }
            #expect(try services.stop() == [.exited(0), .exited(0)])
            let without = try Services(kvArguments: ["--watch-history-bytes", "0"])
            for front in Front.allCases {
                let off = try HTTPConnection(port: Self.port(without, front)).request("GET", "/\(front.rawValue)/watch")
                #expect(try off.status == 501 && off.json.string("code") == "watch_disabled")
            }
            #expect(try without.stop() == [.exited(0), .exited(0)])
        }

        @Test func `a poll waits for the next event, and what it counts is not its wait`() throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .kvService)
            for front in Front.allCases {
                let first = try #require(try client.keys("").json.integer("revision"))
                let polling = try HTTPConnection(port: Self.port(services, front))
                try polling.send(
                    Array(
                        "GET /\(front.rawValue)/watch?prefix=p&mode=poll HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
                _ = try Poll.until("the poll waits") {
                    try self.gauge("kv_watchers", services.kvPort) == 1 ? true : nil
                }
                #expect(try self.gauge("http_requests_in_flight", services.kvPort) == 1, "that of the scrape")
                #expect(try client.set(Array("q".utf8), [0x31]).status == 200)
                #expect(try client.set(Array("p".utf8), [0x31]).status == 200)
                let answer = try polling.receive()
                let change = #"{"type":"set","key":"p","value":"1","revision":\#(first + 2)}"#
                #expect(
                    answer.text
                        == #"{"status":"ok","events":[{"revision":\#(first + 2),"changes":[\#(change)]}],"revision":\#(first + 2)}"#
                        + "\n")
                // The connection can be used again.
                #expect(try polling.request("GET", "/\(front.rawValue)/watch?mode=poll&wait_ms=0").status == 200)
            }
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test(arguments: Front.allCases)
        func `a client that does not read is cut when its changes are gone, and told`(front: Front) throws {
            let services = try Services(kvArguments: ["--watch-history-bytes", "1048576"])
            let client = try KeyValueClient(services, through: .kvService)
            let slow = try self.watch(services, front, "", receiveBufferBytes: 4_096)
            let quick = try self.watch(services, front, "key=last")
            let value = [UInt8](repeating: 65, count: 50_000)
            for number in 0..<300 { #expect(try client.set(Array("k\(number)".utf8), value).status == 200) }
            #expect(try client.set(Array("last".utf8), [0x31]).status == 200)
            #expect(try quick.nextEvent()?.id == 301, "nobody else waits for it")
            _ = try Poll.until("it is cut") {
                try self.gauge(#"kv_watch_cut_total{reason="lagging"}"#, services.kvPort) == 1 ? true : nil
            }
            var last: UInt64 = 0
            var end: (name: String, id: UInt64?, data: String)?
            while let event = try slow.nextEvent() {
                if event.name == "end" {
                    end = event
                } else {
                    #expect(event.id == last + 1)
                    last = event.id ?? 0
                }
            }
            #expect(try self.code(end) == "lagging" && slow.isComplete)
            #expect(try JSONObject((end?.data ?? "").utf8).integer("revision") == Int(last))
            #expect(last > 0 && last < 300)
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test func `a stop ends watches cleanly and at once, a lost kv-service is told`() throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .kvService)
            let direct = try self.watch(services, .kvService, "")
            let through = try self.watch(services, .apiGateway, "")
            #expect(try client.set([0x61], [0x31]).status == 200)
            for stream in [direct, through] { #expect(try stream.nextEvent()?.id == 1) }
            let other = try Services.startGateway(in: services.folder, upstreamPort: services.kvPort)
            let otherPort = try other.waitForPort()
            try other.waitUntilReady(port: otherPort)
            let ofOther = try WatchStream(port: otherPort, "/api/watch?since=0")
            #expect(try ofOther.nextEvent()?.id == 1)
            // The gateway stops.
            let began = ContinuousClock.now
            #expect(try other.stop() == .exited(0))
            #expect(try self.code(ofOther.nextEvent()) == "draining" && ofOther.next() == nil && ofOther.isComplete)
            // kv-service stops: the same through the gateway.
            #expect(try services.kv.stop() == .exited(0))
            #expect(ContinuousClock.now - began < .seconds(5))
            for stream in [direct, through] {
                let end = try #require(try stream.nextEvent())
                #expect(try self.code(end) == "draining" && stream.next() == nil && stream.isComplete)
                #expect(try JSONObject(end.data.utf8).integer("revision") == 1)
            }
            // kv-service is killed.
            let restarted = try Services.startKV(in: services.folder, listen: "127.0.0.1:\(services.kvPort)")
            _ = try restarted.waitForPort()
            try restarted.waitUntilReady(port: services.kvPort)
            try services.gateway?.waitUntilReady(port: services.gatewayPort)
            let again = try self.watch(services, .apiGateway, "since=0")
            #expect(try again.nextEvent()?.id == 1)
            try restarted.crash()
            #expect(try self.code(again.nextEvent()) == "upstream_lost" && again.next() == nil && again.isComplete)
            #expect(try services.gateway?.stop() == .exited(0))
        }

        @Test(.enabled(if: access("/usr/bin/strace", X_OK) == 0, "strace is not installed"))
        func `a log that fails ends watches, and no new ones begin`() throws {
            let services = try Services(injectingIntoSyncs: "error=EIO:when=8+")
            let client = try KeyValueClient(services, through: .kvService)
            let stream = try self.watch(services, .kvService, "")
            var statuses: [Int] = []
            for number in 0..<10 { statuses.append(try client.set([UInt8(65 + number)], [0x31]).status) }
            #expect(statuses.last == 503)
            var last: (name: String, id: UInt64?, data: String)?
            var seen = 0
            while let event = try stream.nextEvent() {
                last = event
                if event.name == "change" { seen += 1 }
            }
            #expect(try self.code(last) == "store_failed" && stream.isComplete)
            #expect(seen == statuses.filter { $0 == 200 }.count)
            let refused = try HTTPConnection(port: services.kvPort).request("GET", "/kv/watch")
            #expect(try refused.status == 503 && refused.json.string("code") == "store_failed")
            _ = try services.stop()
        }

        @Test func `an idle watch gets a sign of life, costs nothing in flight, and has its line at the end`() throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .kvService)
            var streams = try Front.allCases.map { try self.watch(services, $0, "prefix=none") }
            #expect(try client.set([0x61], [0x31]).status == 200)
            for stream in streams { #expect(try stream.next(seconds: 20) == .comment(": revision 1")) }
            for (port, name) in [(services.kvPort, "kv_watchers"), (services.gatewayPort, "gateway_watchers")] {
                #expect(try self.gauge("http_requests_in_flight", port) == 1, "that of the scrape")
                #expect(try self.gauge(name, port) == (name == "kv_watchers" ? 2 : 1))
            }
            streams = []
            for process in [services.kv, services.gateway] {
                let line = try Poll.until("the line of a watch") {
                    process?.log.first { $0.string("handler")?.hasSuffix("_watch") == true }
                }
                #expect(line.integer("status") == 200 && (line.members["duration_ms"] as? Double ?? 0) > 10_000)
            }
            let metrics = try HTTPConnection(port: services.kvPort).request("GET", "/metrics").text
            let sum = metrics.split(separator: "\n").first {
                $0.hasPrefix(#"http_request_duration_seconds_sum{handler="kv_watch",method="GET"}"#)
            }
            #expect(sum.flatMap { Double($0.split(separator: " ")[1]) }.map { $0 < 1 } == true, "\(sum ?? "no sum")")
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }
    }
}
