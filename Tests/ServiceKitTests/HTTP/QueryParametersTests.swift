import NIOCore
import NIOHTTP1
import Testing

@testable import HTTP1

@Suite(.timeLimit(.minutes(1)))
struct QueryParametersTests {
    static func key(_ query: String?) throws -> [UInt8]? {
        try QueryParameters(query, allowed: ["key", "raw"]).bytes("key")
    }

    @Test(arguments: [
        ("key=abc", "abc"), ("key=", ""), ("raw=1&key=a", "a"), ("key=a+b", "a+b"), ("key=a%2Bb", "a+b"),
        ("key=a%20b", "a b"), ("key=+", "+"), ("key=%2B+%20", "++ "),
        ("key=a%23b", "a#b"), ("key=x%26y", "x&y"), ("key=100%25", "100%"), ("key=%C3%A9", "é"), ("key=%c3%a9", "é"),
        ("key=a=b", "a=b"), ("k%65y=a", "a"), ("key=%2541", "%41"), ("key=%00%0A", "\0\n"),
    ])
    func `a value is decoded once`(query: String, value: String) throws {
        #expect(try Self.key(query) == Array(value.utf8))
    }

    @Test func `bytes that are not UTF-8 stay as they are`() throws {
        #expect(try Self.key("key=%FF%fe%80") == [0xFF, 0xFE, 0x80])
    }

    @Test func `a parameter that is not there is nil`() throws {
        #expect(try Self.key(nil) == nil)
        #expect(try Self.key("") == nil)
        #expect(try Self.key("raw=1") == nil)
    }

    @Test(arguments: [
        ("key=a&key=b", "duplicate_parameter"), ("key=a&k%65y=a", "duplicate_parameter"),
        ("Key=a", "unknown_parameter"), ("keys=a", "unknown_parameter"), ("=a", "unknown_parameter"),
        ("key=a&x=", "unknown_parameter"), ("key", "bad_query"), ("key=a&", "bad_query"), ("&key=a", "bad_query"),
        ("key=a&&raw=1", "bad_query"), ("key=%", "bad_query"), ("key=%4", "bad_query"), ("key=%4g", "bad_query"),
        ("%zz=a", "bad_query"), ("key=%-1", "bad_query"),
    ])
    func `anything else is refused with its reason`(query: String, code: String) {
        #expect {
            _ = try Self.key(query)
        } throws: { error in
            (error as? Problem)?.code == code && (error as? Problem)?.status == .badRequest
        }
    }

    private func encoded(_ bytes: [UInt8]) -> String {
        var buffer = ByteBuffer()
        buffer.writeWithOutputRawSpan(minimumWritableBytes: 3 * bytes.count) { output in
            unsafe bytes.withUnsafeBytes { unsafe PercentEncoding.appendQueryComponent($0, to: &output) }
        }
        return String(buffer: buffer)
    }

    @Test func `every byte survives being encoded and decoded`() {
        let all = (0...255).map { UInt8($0) }
        let encoded = self.encoded(all)
        #expect(PercentEncoding.decodeQueryComponent(encoded.utf8.span) == all)
        #expect(self.encoded(Array("aZ09-._~".utf8)) == "aZ09-._~")
        #expect(self.encoded(Array(" +é/".utf8)) == "%20%2B%C3%A9%2F")
    }
}
