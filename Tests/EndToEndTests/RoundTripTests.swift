import TestSupport
import Testing

extension EndToEnd {
    @Suite("Values come back as they went in", .timeLimit(.minutes(10)))
    struct RoundTripTests {
        /// Keys that a careless encoder confuses, or that a careless store cuts.
        static let keys: [[UInt8]] =
            [
                "a#b", "a+b", "a b", "a%2Bb", "x&y", "x=y", "100%", "é", "e\u{301}", "\u{0}", "a\u{0}b", "\n",
                "set 1 1 ab\n",
                "/", "..", "?", "key", "KEY", "\"", "\\", "🙂",
            ].map { Array($0.utf8) } + [[0xff, 0xfe], [0x80], Array(repeating: UInt8(ascii: "k"), count: 1_024)]

        static let values: [[UInt8]] = [
            [], [0], Array("hello".utf8), Array("a\nb\r\n\u{0}".utf8), Array("é🙂\u{2028}\"\\".utf8),
            [0xff, 0x00, 0xc3],
            (0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* 31) },
            Array(repeating: UInt8(ascii: "v"), count: 65_536),
        ]

        @Test(arguments: Front.allCases)
        func `every key is a key of its own`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            for (index, key) in Self.keys.enumerated() {
                let answer = try client.set(key, Array("value \(index)".utf8))
                #expect(answer.status == 200, "\(key): \(answer.text)")
            }
            for (index, key) in Self.keys.enumerated() {
                let answer = try client.get(key)
                #expect(answer.status == 200, "\(key): \(answer.text)")
                #expect(try answer.json.string("value") == "value \(index)", "\(key)")
            }
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test(arguments: Front.allCases)
        func `every value comes back byte for byte, raw and in JSON`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            for (index, value) in Self.values.enumerated() {
                let key = Array("key \(index)".utf8)
                #expect(try client.set(key, value).status == 200)
                let raw = try client.getRaw(key)
                #expect(raw.status == 200)
                #expect(raw["Content-Type"] == "application/octet-stream")
                #expect(raw.body == value, "value \(index)")
                let json = try client.get(key).json
                if String(validating: value, as: UTF8.self) != nil {
                    #expect(json.string("value").map { Array($0.utf8) } == value, "value \(index)")
                    #expect(json.string("value_b64") == nil)
                } else {
                    #expect(json.string("value") == nil)
                    #expect(json.string("value_b64").flatMap(Base64Text.decoded) == value, "value \(index)")
                }
            }
        }

        @Test(arguments: Front.allCases)
        func `answers are those of the contract`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            let suffix = front.messageSuffix

            let set = try client.setJSON(#"{"key":"greeting","value":"hello"}"#)
            #expect(set.status == 200)
            #expect(set["Content-Type"] == "application/json")
            #expect(try set.json.string("status") == "ok")
            #expect(try set.json.string("message") == "value set\(suffix)")
            let revision = try #require(try set.json.integer("revision"))
            #expect(set["ETag"] == "\"\(revision)\"")

            let get = try client.get(Array("greeting".utf8))
            #expect(try get.json.string("value") == "hello")
            #expect(try get.json.integer("revision") == revision)
            let head = try client.connection.request("HEAD", "/\(front.rawValue)/get?key=greeting")
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
            #expect(head["Content-Length"] == get["Content-Length"])

            let removed = try client.delete(Array("greeting".utf8))
            #expect(removed.status == 200)
            #expect(try removed.json.string("message") == "key deleted\(suffix)")
            #expect(try removed.json.bool("deleted") == true)
            #expect(try #require(try removed.json.integer("revision")) > revision)
            #expect(try client.get(Array("greeting".utf8)).status == 404)

            let again = try client.delete(Array("greeting".utf8))
            #expect(again.status == 200)
            #expect(try again.json.bool("deleted") == false)
            #expect(try again.json.string("message") == "key not found, nothing deleted")

            let next = try client.setJSON(#"{"key_b64":"/w==","value_b64":"AP8="}"#)
            #expect(next.status == 200)
            #expect(try next.json.integer("revision") == (try removed.json.integer("revision") ?? 0) + 1)
            #expect(try client.getRaw([0xff]).body == [0x00, 0xff])
        }

        @Test func `both services answer health, liveness and readiness`() throws {
            let services = try Services()
            for port in [services.kvPort, services.gatewayPort] {
                let connection = try HTTPConnection(port: port)
                let health = try connection.request("GET", "/health")
                #expect(health.status == 200)
                #expect(try health.json.string("status") == "ok")
                #expect(try health.json.string("time")?.hasSuffix("Z") == true)
                #expect(try connection.request("GET", "/livez").status == 200)
                #expect(try connection.request("GET", "/readyz").status == 200)
                let admin = try connection.request("GET", "/admin")
                #expect(admin.status == 200)
                #expect(try admin.json.string("state") == "ready")
            }
        }

        @Test func `pipelined requests are answered in order`() throws {
            let services = try Services()
            for front in Front.allCases {
                let client = try KeyValueClient(services, through: front)
                let path = "/\(front.rawValue)"
                var requests = ""
                for number in 0..<20 {
                    requests +=
                        "PUT \(path)/set?key=k HTTP/1.1\r\nHost: t\r\nContent-Type: application/octet-stream\r\n"
                    requests += "Content-Length: 2\r\n\r\n\(10 + number)"
                    requests += "GET \(path)/get?key=k HTTP/1.1\r\nHost: t\r\n\r\n"
                }
                try client.connection.send(Array(requests.utf8))
                for number in 0..<20 {
                    #expect(try client.connection.receive().status == 200)
                    #expect(try client.connection.receive().json.string("value") == "\(10 + number)")
                }
            }
        }

        /// One client that pipelines pays for few syncs, although its writes are of one connection.
        @Test func `pipelined writes of a connection share a commit and take effect in order`() throws {
            let services = try Services(withGateway: false)
            let client = try KeyValueClient(services, through: .kvService)
            var requests = ""
            for number in 0..<32 {
                requests += "PUT /kv/set?key=k HTTP/1.1\r\nHost: t\r\nX-Request-Id: w\(number)\r\n"
                requests += "Content-Type: application/octet-stream\r\nContent-Length: 2\r\n\r\n\(10 + number)"
            }
            requests +=
                "GET /kv/get?key=k HTTP/1.1\r\nHost: t\r\n\r\nDELETE /kv/delete?key=k HTTP/1.1\r\nHost: t\r\n\r\n"
            requests += "GET /kv/get?key=k HTTP/1.1\r\nHost: t\r\n\r\n"
            try client.connection.send(Array(requests.utf8))
            var revisions: [Int] = []
            for number in 0..<32 {
                let answer = try client.connection.receive()
                #expect(answer.status == 200 && answer["X-Request-Id"] == "w\(number)")
                revisions.append(try #require(try answer.json.integer("revision")))
            }
            #expect(revisions == revisions.sorted() && Set(revisions).count == 32)
            #expect(try client.connection.receive().json.string("value") == "41")
            #expect(try client.connection.receive().status == 200)
            #expect(try client.connection.receive().status == 404)
            _ = try services.stop()
            let lines = services.kv.log.filter { $0.string("handler") == "kv_set" }
            #expect(lines.map { $0.string("request_id") } == (0..<32).map { "w\($0)" })
            let batches = try lines.map { try #require($0.integer("batch_writes")) }
            print("batch_writes of 32 pipelined sets: \(batches)")
            let largest = try #require(batches.max())
            #expect(largest > 1)
        }

        @Test func `a restart keeps everything, and revisions go on`() throws {
            let folder = TemporaryFolder()
            var last = 0
            do {
                let services = try Services(folder: folder)
                let client = try KeyValueClient(services, through: .apiGateway)
                for (key, value) in zip(Self.keys, Self.values + Self.values + Self.values) {
                    #expect(try client.set(key, value).status == 200)
                }
                #expect(try client.set(Array("gone".utf8), [1]).status == 200)
                last = try #require(try client.delete(Array("gone".utf8)).json.integer("revision"))
                #expect(try services.stop() == [.exited(0), .exited(0)])
            }
            let services = try Services(folder: folder)
            let client = try KeyValueClient(services, through: .apiGateway)
            for (key, value) in zip(Self.keys, Self.values + Self.values + Self.values) {
                #expect(try client.getRaw(key).body == value, "\(key)")
            }
            #expect(try client.get(Array("gone".utf8)).status == 404)
            #expect(try client.set([1], [1]).json.integer("revision") == last + 1)
        }
    }
}
