import Foundation
import TestSupport
import Testing

extension InProcess {
    @Suite("The route of the keys", .timeLimit(.minutes(1)))
    struct KeysRouteTests {
        private let connection: HTTPConnection
        private let client: KeyValueClient

        init() throws {
            self.connection = try HTTPConnection(port: ServiceInProcess.port)
            self.client = try KeyValueClient(port: ServiceInProcess.port, through: .kvService)
        }

        private typealias Record = (key: [UInt8], value: [UInt8]?, revision: Int)

        private func bytes(_ object: JSONObject, _ name: String) -> [UInt8]? {
            if let text = object.string(name) { return Array(text.utf8) }
            return object.string(name + "_b64").flatMap { Data(base64Encoded: $0) }.map { Array($0) }
        }

        private func page(_ query: String) throws -> (records: [Record], revision: Int, cursor: String?) {
            let answer = try self.connection.request("GET", "/kv/keys?\(query)")
            try #require(answer.status == 200, "\(query): \(answer.text)")
            let records = try answer.json.objects("keys").map { object in
                (try #require(self.bytes(object, "key")), self.bytes(object, "value"), object.integer("revision") ?? 0)
            }
            return (records, try #require(answer.json.integer("revision")), try answer.json.string("cursor"))
        }

        /// All pages.
        private func all(_ query: String) throws -> (records: [Record], pages: Int) {
            var (records, _, cursor) = try self.page(query)
            var pages = 1
            while let next = cursor {
                let page = try self.page("\(query)&cursor=\(next)")
                #expect(!page.records.isEmpty)
                records += page.records
                cursor = page.cursor
                pages += 1
            }
            return (records, pages)
        }

        @Test func `pages of any size and direction give the keys with a prefix, each once, in bytewise order`() throws
        {
            var random = SeededGenerator()
            let prefix: [UInt8] = Array("keys-\(UInt32.random(in: 0...UInt32.max, using: &random))/".utf8)
            var model: [[UInt8]: [UInt8]] = [:]
            for _ in 0..<60 {
                let tail = (0..<Int.random(in: 0..<4, using: &random)).map { _ in
                    [0, 0x2F, 0x61, 0x7F, 0x80, 0xC3, 0xFF].randomElement(using: &random)! as UInt8
                }
                let value = (0..<Int.random(in: 0..<9, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                model[prefix + tail] = value
                #expect(try self.client.set(prefix + tail, value).status == 200)
            }
            let sorted = model.keys.sorted { $0.lexicographicallyPrecedes($1) }
            let encoded = KeyValueClient.encoded(prefix)
            for limit in [1, 7, sorted.count, 1_000] {
                let forward = try self.all("prefix=\(encoded)&limit=\(limit)&values=true")
                #expect(forward.records.map(\.key) == sorted, "limit \(limit)")
                #expect(forward.records.map(\.value) == sorted.map { model[$0] })
                #expect(forward.pages == (sorted.count + limit - 1) / limit)
                let backward = try self.all("prefix=\(encoded)&limit=\(limit)&reverse=true")
                #expect(backward.records.map(\.key) == sorted.reversed(), "limit \(limit)")
                #expect(backward.records.allSatisfy { $0.value == nil })
            }
            let (low, high) = (sorted[sorted.count / 4], sorted[sorted.count / 2])
            let range = try self.all(
                "start=\(KeyValueClient.encoded(low))&end=\(KeyValueClient.encoded(high))&limit=5")
            #expect(range.records.map(\.key) == Array(sorted[(sorted.count / 4)..<(sorted.count / 2)]))
        }

        @Test func `a page says the revision of its state and of each key`() throws {
            let set = try self.client.set(Array("revision-of-keys".utf8), [1])
            let revision = try #require(set.json.integer("revision"))
            let page = try self.page("prefix=revision-of-keys")
            #expect(page.records.count == 1 && page.records[0].revision == revision && page.revision >= revision)
            #expect(page.cursor == nil)
            #expect(try self.page("prefix=no-such-key").records.isEmpty)
        }

        @Test func `a page with large values ends early and goes on with its cursor`() throws {
            let value = [UInt8](repeating: 0x76, count: ServiceInProcess.maxValueBytes)
            let count = (1 << 18) / value.count + 3
            for number in 0..<count { #expect(try self.client.set(Array("large-\(number)".utf8), value).status == 200) }
            let page = try self.page("prefix=large-&values=true&limit=1000")
            // The record that reaches 256 KiB, with its key, is the last one.
            #expect(page.records.count == (1 << 18) / value.count && page.cursor != nil)
            let all = try self.all("prefix=large-&values=true&limit=1000")
            #expect(all.records.count == count && all.pages > 1)
            #expect(all.records.allSatisfy { $0.value == value })
        }

        @Test func `the count is that of the whole range, on each page, without keys that have expired`() throws {
            for number in 0..<9 { #expect(try self.client.set(Array("count-\(number)".utf8), [1]).status == 200) }
            let expired = try self.connection.request(
                "PUT", "/kv/set?key=count-4&expires_at=1", headers: [("Content-Type", "application/octet-stream")],
                body: [1])
            #expect(expired.status == 200, "\(expired.text)")
            func count(_ query: String) throws -> Int? {
                try self.connection.request("GET", "/kv/keys?\(query)").json.integer("count")
            }
            #expect(try count("prefix=count-") == nil)
            #expect(try count("prefix=count-&count=false") == nil)
            for query in ["", "&limit=3", "&reverse=true&limit=1", "&values=true"] {
                #expect(try count("prefix=count-&count=true\(query)") == 8, "\(query)")
            }
            let cursor = try #require(try self.page("prefix=count-&limit=6&count=true").cursor)
            #expect(try count("prefix=count-&limit=6&count=true&cursor=\(cursor)") == 8)
            #expect(try count("start=count-1&end=count-6&count=true") == 4)
            #expect(try count("start=count-6&end=count-1&count=true") == 0)
            #expect(try count("prefix=count-none&count=true") == 0)
        }

        @Test func `refusals and the head alone`() throws {
            for (query, code) in [
                ("limit=0", "bad_query"), ("cursor=x", "bad_cursor"), ("prefx=a", "unknown_parameter"),
                ("prefix=a&cursor=AQAAAAAAAAAAYQ", "bad_cursor"),
            ] {
                let answer = try self.connection.request("GET", "/kv/keys?\(query)")
                #expect(try answer.status == 400 && answer.json.string("code") == code, "\(answer.text)")
                #expect(try answer.json.string("applied") == nil)
            }
            let head = try self.connection.request("HEAD", "/kv/keys")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(try self.connection.request("POST", "/kv/keys").status == 405)
        }
    }
}
