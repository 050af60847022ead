import TestSupport
import Testing

extension EndToEnd {
    @Suite("Errors say what happened", .timeLimit(.minutes(10)))
    struct ErrorAnswerTests {
        /// Checks that an answer is a problem document and returns its members.
        @discardableResult
        private func problem(
            _ answer: HTTPAnswer,
            _ status: Int,
            code: String? = nil,
            applied: String? = nil,
            _ comment: String = "",
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws -> JSONObject {
            #expect(answer.status == status, "\(comment) \(answer.text)", sourceLocation: sourceLocation)
            #expect(answer["Content-Type"] == "application/problem+json", "\(comment)", sourceLocation: sourceLocation)
            let document = try answer.json
            #expect(document.integer("status") == status, sourceLocation: sourceLocation)
            let found = document.string("code") ?? "none"
            #expect(document.string("type") == "urn:kv:error:\(found)", sourceLocation: sourceLocation)
            #expect(document.string("title")?.isEmpty == false, sourceLocation: sourceLocation)
            #expect(document.string("detail")?.isEmpty == false, sourceLocation: sourceLocation)
            #expect(document.string("request_id") == answer["X-Request-Id"], sourceLocation: sourceLocation)
            if let code { #expect(found == code, "\(comment)", sourceLocation: sourceLocation) }
            #expect(document.string("applied") == applied, "\(comment)", sourceLocation: sourceLocation)
            return document
        }

        @Test(arguments: Front.allCases)
        func `a missing key, an unknown route and a wrong method differ`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            let path = "/\(front.rawValue)"
            try self.problem(try client.get(Array("nowhere".utf8)), 404, code: "key_not_found")
            for target in ["/nope", "\(path)/", "\(path)/sett", "//", "//kv/get"] {
                try self.problem(try client.connection.request("GET", target), 404, code: "route_not_found", target)
            }
            let wrong = try client.connection.request("DELETE", "\(path)/get?key=a")
            try self.problem(wrong, 405)
            #expect(wrong["Allow"]?.contains("GET") == true)
            let wrongWrite = try client.connection.request("GET", "\(path)/set?key=a")
            #expect(wrongWrite.status == 405)
            #expect(wrongWrite["Allow"]?.contains("POST") == true)
        }

        @Test(arguments: Front.allCases)
        func `queries are strict`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            let get = "/\(front.rawValue)/get"
            let longKey = String(repeating: "k", count: 1_025)
            let cases: [(query: String, code: String?)] = [
                ("", nil), ("?", nil), ("?key=", nil), ("?key=a&key=a", "duplicate_parameter"),
                ("?key=a&kex=b", "unknown_parameter"), ("?key=%zz", "bad_query"), ("?key=%4", "bad_query"),
                ("?key=%", "bad_query"), ("?key=\(longKey)", nil),
            ]
            for (query, code) in cases {
                try self.problem(try client.connection.request("GET", get + query), 400, code: code, query)
            }
        }

        @Test(arguments: Front.allCases)
        func `JSON requests are strict`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            for body in [
                "", "{", "[]", "null", #""key""#, "{}", #"{"key":"a"}"#, #"{"value":"a"}"#, #"{"key":"","value":"a"}"#,
                #"{"key":"a","value":"b"} x"#, #"{"key":"a","value":"b","key":"a"}"#, #"{"key":"a","value":1}"#,
                #"{"key":"a","value":null}"#, #"{"key":"a","value":["b"]}"#, #"{"key":"a","value":"b","other":1}"#,
                #"{"key":"a","value":"\ud800"}"#, "{\"key\":\"a\",\"value\":\"\n\"}", #"{"key":"a","value":"b",}"#,
                #"{'key':'a','value':'b'}"#, "\u{FEFF}{\"key\":\"a\",\"value\":\"b\"}",
                #"{"key":"a","key_b64":"YQ==","value":"b"}"#, #"{"key":"a","value_b64":"YQ"}"#,
                #"{"key":"a","value_b64":"Y Q=="}"#, #"{"key":"a","value":"b","value_b64":"YQ=="}"#,
            ] {
                try self.problem(try client.setJSON(body), 400, applied: "no", body)
            }
            let invalid: [UInt8] = Array(#"{"key":"a","value":""#.utf8) + [0xff] + Array("\"}".utf8)
            let answer = try client.connection.request(
                "POST",
                "/\(front.rawValue)/set",
                headers: [("Content-Type", "application/json")],
                body: invalid
            )
            try self.problem(answer, 400, applied: "no")
            #expect(try client.get(Array("a".utf8)).status == 404)
        }

        @Test(arguments: Front.allCases)
        func `what is too large or of another type is refused before it is stored`(front: Front) throws {
            let services = try Services()
            let key = Array("k".utf8)
            let client = try KeyValueClient(services, through: front)
            let typeAnswer = try client.connection.request(
                "POST",
                "/\(front.rawValue)/set",
                headers: [("Content-Type", "text/plain")],
                body: Array("key=a".utf8)
            )
            try self.problem(typeAnswer, 415, applied: "no")
            let tooLarge = [UInt8](repeating: 1, count: 65_537)
            try self.problem(try KeyValueClient(services, through: front).set(key, tooLarge), 413, applied: "no")
            let huge = [UInt8](repeating: 1, count: 1 << 20)
            do {
                try self.problem(try KeyValueClient(services, through: front).set(key, huge), 413, applied: "no")
            } catch is SystemCallError {
                // The answer was being sent while the server already closed the rest of the body.
            }
            let value = String(repeating: "v", count: 65_537)
            let json = try KeyValueClient(services, through: front).setJSON(#"{"key":"k","value":"\#(value)"}"#)
            try self.problem(json, 413, applied: "no")
            #expect(try KeyValueClient(services, through: front).get(key).status == 404)
            let longest = String(repeating: #"\u0000"#, count: 65_536)
            let escaped = try KeyValueClient(services, through: front).setJSON(#"{"key":"k","value":"\#(longest)"}"#)
            #expect(escaped.status == 200, "a value within the limit may be escaped in full: \(escaped.text)")
        }

        @Test(arguments: Front.allCases)
        func `a client that asks before it sends too large a value is refused at once`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            try client.connection.send(
                Array("PUT /\(front.rawValue)/set?key=k HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n".utf8)
                    + Array("Content-Type: application/octet-stream\r\nContent-Length: 65537\r\n\r\n".utf8))
            let answer = try client.connection.receive()
            try self.problem(answer, 413, code: "value_too_large", applied: "no")
            #expect(answer["Connection"] == "close")
            #expect(try client.connection.isClosedByServer())
        }

        @Test func `what was stored under larger limits can be read and deleted, and fails alone through the gateway`()
            throws
        {
            let folder = TemporaryFolder()
            // Three times as long in the query.
            let longKey = [UInt8](repeating: 0xFF, count: 4_096)
            let (large, small) = (Array("large".utf8), Array("small".utf8))
            do {
                let limits = ["--max-key-bytes", "4096", "--max-value-bytes", "1MiB"]
                let services = try Services(folder: folder, kvArguments: limits, gatewayArguments: limits)
                let gateway = try KeyValueClient(services, through: .apiGateway)
                #expect(try gateway.set(longKey, small).status == 200)
                #expect(try gateway.getRaw(longKey).body == small)
                #expect(try gateway.set(large, [UInt8](repeating: 1, count: 100_000)).status == 200)
                #expect(try gateway.set(small, small).status == 200)
                #expect(try services.stop() == [.exited(0), .exited(0)])
            }
            let services = try Services(folder: folder)
            let gateway = try KeyValueClient(services, through: .apiGateway)
            // More often than is needed to open the circuit.
            for _ in 1...6 { try self.problem(try gateway.get(large), 502, code: "value_too_large") }
            try self.problem(try gateway.get(longKey), 400, code: "key_too_large")
            #expect(try gateway.getRaw(small).body == small)
            #expect(try gateway.connection.request("GET", "/readyz").status == 200)

            let client = try KeyValueClient(services, through: .kvService)
            #expect(try client.getRaw(large).body.count == 100_000)
            #expect(try client.getRaw(longKey).body == small)
            #expect(try client.delete(longKey).json.bool("deleted") == true)
            try self.problem(try client.delete(longKey), 400, code: "key_too_large", applied: "no")
            try self.problem(try client.get(longKey), 400, code: "key_too_large")
            try self.problem(try client.set(longKey, small), 400, code: "key_too_large", applied: "no")
            let longest = [UInt8](repeating: 0xFF, count: 65_535)
            try self.problem(try client.get(longest), 400, code: "key_too_large")
            try self.problem(try client.delete(longest + [1]), 400, code: "key_too_large", applied: "no")
            #expect(try gateway.delete(large).status == 200)
            try self.problem(try gateway.get(large), 404, code: "key_not_found")
        }

        @Test func `heads beyond the limits are refused`() throws {
            let services = try Services()
            for port in [services.kvPort, services.gatewayPort] {
                let longTarget = "/kv/get?key=" + String(repeating: "k", count: 200_000)
                #expect(try HTTPConnection(port: port).request("GET", longTarget).status == 414)
                let longHeader = [("X-Long", String(repeating: "x", count: 17_000))]
                #expect(try HTTPConnection(port: port).request("GET", "/health", headers: longHeader).status == 431)
                let many = (0..<101).map { ("X-\($0)", "x") }
                #expect(try HTTPConnection(port: port).request("GET", "/health", headers: many).status == 431)
                let nonsense = try HTTPConnection(port: port)
                try nonsense.send(Array("nonsense\r\n\r\n".utf8))
                #expect(try nonsense.receive().status == 400)
                #expect(try nonsense.isClosedByServer())
                #expect(try HTTPConnection(port: port).request("GET", "/livez").status == 200)
            }
        }
    }
}
