import HTTP1
import TestSupport
import Testing

@testable import KeyValueHTTP

@Suite(.timeLimit(.minutes(1)))
struct KeysRequestTests {
    private static let store: (high: UInt64, low: UInt64) = (1, 2)

    private func code(_ query: String) -> String? {
        do throws(Problem) { _ = try KeysRequest(query: query) } catch { return error.code }
        return nil
    }

    @Test func `without parameters it is the first hundred keys of all`() throws {
        for query in [nil, ""] as [String?] {
            let request = try KeysRequest(query: query)
            #expect(request.start == [] && request.end == nil && request.limit == 100)
            #expect(!request.isReversed && !request.wantsValues && request.cursor == nil)
        }
    }

    @Test func `a prefix is the range of the keys that begin with it`() throws {
        let ends: [([UInt8], [UInt8]?)] = [
            ([], nil), ([0x61], [0x62]), ([0x61, 0xFF], [0x62]), ([0xFF, 0xFF], nil), ([0, 0], [0, 1]),
        ]
        for (prefix, end) in ends { #expect(KeysRequest.end(ofPrefix: prefix) == end) }
        let request = try KeysRequest(query: "prefix=a%2F&limit=7&reverse=true&values=true")
        #expect(request.start == Array("a/".utf8) && request.end == Array("a0".utf8) && request.limit == 7)
        #expect(request.isReversed && request.wantsValues && !request.wantsCount)
        #expect(try KeysRequest(query: "count=true").wantsCount)
        let range = try KeysRequest(query: "start=a&end=b%00&reverse=false")
        #expect(range.start == [0x61] && range.end == [0x62, 0] && !range.isReversed)
    }

    @Test func `what cannot be meant is refused`() {
        for query in [
            "prefix=a&start=a", "prefix=a&end=b", "limit=0", "limit=1001", "limit=", "limit=+5", "limit=99999",
            "limit=1e1",
            "reverse=", "reverse=1", "values=TRUE", "prefix",
        ] { #expect(self.code(query) == "bad_query", "\(query)") }
        #expect(self.code("prefx=a") == "unknown_parameter")
        #expect(self.code("limit=1&limit=2") == "duplicate_parameter")
        for cursor in ["", "A", "AQ", "AQAAAAAAAAAA", "AgAAAAAAAAAAYQ", "AQAAAAAAAAAAYQ==", "AQAAAAAAAAAAY+"] {
            #expect(self.code("cursor=\(cursor)") == "bad_cursor", "\(cursor)")
        }
        #expect(self.code("cursor=AQAAAAAAAAAAYQ") == nil)
    }

    @Test func `a cursor continues behind the key that it was made for, in the direction of the query`() throws {
        for (query, start, end) in [
            ("prefix=a", [0x61, 7, 0], [0x62]), ("prefix=a&reverse=true", [0x61], [0x61, 7]),
        ] as [(String, [UInt8], [UInt8]?)] {
            let cursor = try KeysRequest(query: query).cursor(behind: [0x61, 7], ofStore: Self.store).text
            let page = try KeysRequest(query: "\(query)&limit=3&values=true&cursor=\(cursor)").page(ofStore: Self.store)
            #expect(page.start == start && page.end == end)
        }
    }

    @Test func `a cursor of another query or another store is refused`() throws {
        let queries = [
            "", "prefix=a", "prefix=b", "start=a", "start=a&end=b&reverse=true", "start=a&end=%FF", "end=a", "end=",
            "reverse=true", "start=a&end=c",
        ]
        for query in queries {
            let cursor = try KeysRequest(query: query).cursor(behind: [1], ofStore: Self.store).text
            for other in queries {
                let request = try KeysRequest(query: other + (other.isEmpty ? "" : "&") + "cursor=\(cursor)")
                let page = try? request.page(ofStore: Self.store)
                #expect((page != nil) == (query == other), "\(query) and \(other)")
                #expect(throws: Problem.self) { _ = try request.page(ofStore: (1, 3)) }
                #expect(throws: Problem.self) { _ = try request.page(ofStore: (2, 2)) }
            }
        }
    }

    @Test func `the text of a cursor gives its key back, and is part of a query as it is`() throws {
        var random = SeededGenerator()
        for length in 1..<200 {
            let key = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            let cursor = KeysCursor(query: UInt64.random(in: 0...UInt64.max, using: &random), key: key)
            #expect(
                cursor.text.utf8.allSatisfy { UInt8(ascii: "-") == $0 || UInt8(ascii: "_") == $0 || isAlphanumeric($0) }
            )
            #expect(KeysCursor(Array(cursor.text.utf8)) == cursor)
        }
    }

    private func isAlphanumeric(_ byte: UInt8) -> Bool {
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8.contains(byte)
    }
}
