import HTTP1
import HTTPServing
import KeyValueHTTP
import NIOHTTP1
import Testing

@Suite("The key of a request", .timeLimit(.minutes(1)))
struct RequestKeyTests {
    private let limits = KeyValueLimits(maxKeyBytes: 4, maxValueBytes: 4)

    private func key(_ request: HTTPRequest, applied: Problem.Applied?) throws(Problem) -> [UInt8] {
        try KeyParameter.withKey(of: request, .withinLimits, limits: self.limits, applied: applied) { Array($0) }
    }

    @Test(arguments: [
        ("key=a%23b", "a#b"), ("key=a%2Bb", "a+b"), ("key=a+b", "a+b"), ("key=x%26y", "x&y"), ("key=100%25", "100%"),
        ("key=%C3%A9", "é"), ("key=%00", "\0"), ("key=%0A", "\n"), ("key=%2525", "%25"), ("key=a=b", "a=b"),
    ])
    func `is decoded once`(query: String, key: String) throws {
        #expect(try self.key(.sample(.get, query: query), applied: nil) == Array(key.utf8))
    }

    @Test(
        arguments: [
            (nil, "key_missing"), ("key=", "key_empty"), ("key=12345", "key_too_large"),
            ("key=a&key=a", "duplicate_parameter"), ("Key=a", "unknown_parameter"), ("key=a&b=c", "unknown_parameter"),
        ] as [(String?, String)]
    )
    func `is refused with its own code, which says of a write that it was not applied`(query: String?, code: String) {
        for applied in [Problem.Applied.no, nil] {
            let problem = #expect(throws: Problem.self) {
                try self.key(.sample(.delete, query: query), applied: applied)
            }
            #expect(problem?.code == code)
            #expect(problem?.status == .badRequest)
            #expect(problem?.applied == applied)
        }
    }
}
