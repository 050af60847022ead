import TestSupport
import Testing

extension InProcess {
    @Suite("The routes of the data API", .timeLimit(.minutes(1)))
    struct RouteTests {
        private static let bytes = ("Content-Type", "application/octet-stream")
        private let connection: HTTPConnection
        private let client: KeyValueClient

        init() throws {
            self.connection = try HTTPConnection(port: ServiceInProcess.port)
            self.client = try KeyValueClient(port: ServiceInProcess.port, through: .kvService)
        }

        /// The revision that an answer has in its `ETag`.
        private func revision(_ answer: HTTPAnswer) throws -> Int {
            let tag = try #require(answer["ETag"], "\(answer.text)")
            return try #require(Int(tag.filter { $0 != "\"" }))
        }

        @Test func `a set is answered with its revision, and a get gives the bytes and the revision back`() throws {
            let value: [UInt8] = [0, 255, 10, 13, 0x7F]
            let first = try self.client.set([0, 0xFF], value)
            #expect(try first.status == 200 && first.json.string("status") == "ok")
            let second = try self.client.set([0, 0xFF], value + [1])
            #expect(try self.revision(second) > self.revision(first))
            let answer = try self.client.getRaw([0, 0xFF])
            #expect(answer.status == 200 && answer.body == value + [1])
            #expect(try self.revision(answer) == self.revision(second))
        }

        @Test func `a set and a get as JSON are the same key`() throws {
            #expect(try self.client.setJSON(#"{"key":"as JSON","value":"é"}"#).status == 200)
            #expect(try self.client.getRaw(Array("as JSON".utf8)).body == Array("é".utf8))
            let answer = try self.client.get(Array("as JSON".utf8), headers: [("Accept", "application/json")])
            #expect(answer["Content-Type"] == "application/json" && answer.text.contains("é"))
        }

        @Test func `an empty value is a value, and a missing key is 404 with the code for it`() throws {
            #expect(try self.client.set(Array("empty".utf8), []).status == 200)
            let empty = try self.client.getRaw(Array("empty".utf8))
            #expect(empty.status == 200 && empty.body.isEmpty)
            let missing = try self.client.get(Array("never set".utf8))
            #expect(try missing.status == 404 && missing.json.string("code") == "key_not_found")
            #expect(missing["Content-Type"] == "application/problem+json")
        }

        @Test func `a delete tells whether there was something, and the key is gone`() throws {
            let key = Array("deleted".utf8)
            #expect(try self.client.set(key, [1]).status == 200)
            let first = try self.client.delete(key)
            #expect(try first.status == 200 && first.json.bool("deleted") == true)
            let second = try self.client.delete(key)
            #expect(try second.status == 200 && second.json.bool("deleted") == false)
            #expect(try self.client.get(key).status == 404)
        }

        @Test func `a HEAD has the head of the GET and no body`() throws {
            let key = Array("head".utf8)
            let set = try self.client.set(key, [1, 2, 3])
            let answer = try self.connection.request("HEAD", "/kv/get?key=head")
            #expect(answer.status == 200 && answer.body.isEmpty)
            #expect(try self.revision(answer) == self.revision(set))
        }

        @Test func `a key or a value that is too large, empty or missing is refused with nothing applied`() throws {
            let long = [UInt8](repeating: 0x6B, count: ServiceInProcess.maxKeyBytes + 1)
            let large = [UInt8](repeating: 0x76, count: ServiceInProcess.maxValueBytes + 1)
            let refusals = [
                (try self.client.set(long, [1]), 400, "key_too_large"),
                (try self.client.set([], [1]), 400, "key_empty"),
                (try self.connection.request("PUT", "/kv/set", headers: [Self.bytes], body: [1]), 400, "key_missing"),
                (try self.connection.request("PUT", "/kv/set?key=a", body: [1]), 415, "unsupported_media_type"),
                (try self.client.setJSON(#"{"key":"no value"}"#), 400, "value_missing"),
            ]
            for (answer, status, code) in refusals {
                #expect(try answer.status == status && answer.json.string("code") == code, "\(answer.text)")
                #expect(try answer.json.string("applied") == "no", "\(answer.text)")
            }
            // The rest of the body is not read, so the connection ends with the answer.
            let refused = try KeyValueClient(port: ServiceInProcess.port, through: .kvService)
                .set(Array("large".utf8), large)
            #expect(try refused.status == 413 && refused.json.string("applied") == "no", "\(refused.text)")
            #expect(try self.client.get(Array("large".utf8)).status == 404)
            #expect(try self.client.get(Array("no value".utf8)).status == 404)
        }

        @Test func `a method that a route does not have is 405 with the ones that it has, another path is 404`() throws
        {
            let method = try self.connection.request("DELETE", "/kv/get?key=a")
            #expect(method.status == 405 && method["Allow"]?.contains("GET") == true, "\(method.text)")
            #expect(try self.connection.request("GET", "/kv/nothing").status == 404)
        }

        private func expect(
            _ answer: HTTPAnswer, unmetBy revision: Int?, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            #expect(answer.status == 412, "\(answer.text)", sourceLocation: sourceLocation)
            let json = try answer.json
            #expect(json.string("code") == "precondition_failed" && json.string("applied") == "no")
            #expect(json.integer("revision") == revision, sourceLocation: sourceLocation)
            #expect(answer["ETag"] == revision.map { "\"\($0)\"" }, sourceLocation: sourceLocation)
        }

        @Test func `a write with a condition is carried out if that is met, else 412 with the current revision`() throws
        {
            let key = Array("conditional".utf8)
            func set(_ name: String, _ value: String) throws -> HTTPAnswer {
                try self.client.set(key, [1], headers: [(name, value)])
            }
            try self.expect(try set("If-Match", "*"), unmetBy: nil)
            try self.expect(try set("If-Match", "\"1\""), unmetBy: nil)
            let created = try self.revision(try set("If-None-Match", "*"))
            try self.expect(try set("If-None-Match", "*"), unmetBy: created)
            try self.expect(try set("If-Match", "\"\(created + 1)\""), unmetBy: created)
            let replaced = try self.revision(try set("If-Match", "\"\(created)\""))
            try self.expect(try set("If-Match", "\"\(created)\""), unmetBy: replaced)
            let any = try self.revision(try set("If-Match", "*"))
            #expect(created < replaced && replaced < any)
            func delete(_ name: String, _ value: String) throws -> HTTPAnswer {
                try self.client.delete(key, headers: [(name, value)])
            }
            try self.expect(try delete("If-Match", "\"\(replaced)\""), unmetBy: any)
            try self.expect(try delete("If-None-Match", "*"), unmetBy: any)
            #expect(try delete("If-Match", "\"\(any)\"").json.bool("deleted") == true)
            try self.expect(try delete("If-Match", "\"\(any)\""), unmetBy: nil)
            #expect(try delete("If-None-Match", "*").json.bool("deleted") == false)
        }

        @Test func `a set as JSON has its condition in the body`() throws {
            func set(_ condition: String) throws -> HTTPAnswer {
                try self.client.setJSON(#"{"key":"JSON condition","value":"1",\#(condition)}"#)
            }
            try self.expect(try set(#""if_revision":1"#), unmetBy: nil)
            let created = try self.revision(try set(#""if_absent":true"#))
            try self.expect(try set(#""if_absent":true"#), unmetBy: created)
            #expect(try set(#""if_revision":\#(created)"#).status == 200)
        }

        @Test func `a condition that is not one is 400, and nothing is applied`() throws {
            let key = Array("bad condition".utf8)
            for fields in [
                [("If-Match", "W/\"1\"")], [("If-Match", "\"1\", \"2\"")], [("If-None-Match", "\"1\"")],
                [("If-Match", "1")], [("If-Match", "*"), ("If-None-Match", "*")],
            ] {
                for answer in [
                    try self.client.set(key, [1], headers: fields), try self.client.delete(key, headers: fields),
                ] {
                    #expect(try answer.status == 400 && answer.json.string("code") == "bad_precondition")
                    #expect(try answer.json.string("applied") == "no")
                }
            }
            #expect(try self.client.get(key).status == 404)
        }

        @Test func `a delete of a missing key above the limit is 400, with a condition too`() throws {
            let long = [UInt8](repeating: 0x6B, count: ServiceInProcess.maxKeyBytes + 1)
            let answer = try self.client.delete(long, headers: [("If-Match", "*")])
            #expect(try answer.status == 400 && answer.json.string("code") == "key_too_large")
        }

        @Test func `a read of a revision that the client has is 304 with the tag and no body`() throws {
            let key = Array("cached".utf8)
            let revision = try self.revision(try self.client.set(key, [1]))
            for field in ["\"\(revision)\"", "*", "\"x\", W/\"\(revision)\""] {
                for method in ["GET", "HEAD"] {
                    let answer = try self.connection.request(
                        method, "/kv/get?key=cached", headers: [("If-None-Match", field)])
                    #expect(answer.status == 304 && answer.body.isEmpty && answer["Content-Length"] == nil)
                    #expect(answer["ETag"] == "\"\(revision)\"")
                }
            }
            for field in ["\"\(revision + 1)\"", "\(revision)", "\"\(revision)\" x", ""] {
                let answer = try self.client.get(key, headers: [("If-None-Match", field)])
                #expect(answer.status == 200 && answer["ETag"] == "\"\(revision)\"", "\(field)")
            }
            #expect(try self.client.get(Array("nothing".utf8), headers: [("If-None-Match", "*")]).status == 404)
        }

        @Test func `a write that is late is 504 and not applied`() throws {
            let answer = try self.client.set(Array("late".utf8), [1], headers: [("X-Request-Timeout-Ms", "0")])
            #expect(answer.status == 504, "\(answer.text)")
            #expect(try answer.json.string("code") == "deadline_exceeded" && answer.json.string("applied") == "no")
            #expect(try self.client.get(Array("late".utf8)).status == 404)
        }
    }
}
