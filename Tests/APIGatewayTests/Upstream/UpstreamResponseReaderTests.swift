import NIOCore
import TestSupport
import Testing

@testable import APIGateway

@Suite("The reader of answers", .timeLimit(.minutes(2)))
struct UpstreamResponseReaderTests {
    private typealias Machine = UpstreamConnectionStateMachine

    @Test(arguments: AnswerCorpus.entries(.accepted))
    func `accepts a valid answer, as SwiftNIO does, wherever it is divided`(entry: AnswerCorpus.Entry) {
        let whole = Machine.verdict([entry.bytes[...]])
        #expect(whole == NIOAnswer.verdict(entry.bytes))
        guard case .complete = whole else {
            Issue.record("not complete: \(whole)")
            return
        }
        for division in entry.divisions {
            #expect(Machine.verdict([entry.bytes[..<division], entry.bytes[division...]]) == whole, "at \(division)")
        }
        #expect(Machine.verdict(entry.bytes.indices.map { entry.bytes[$0...$0] }) == whole)
    }

    @Test(arguments: AnswerCorpus.entries(.accepted))
    func `leaves what follows an answer`(entry: AnswerCorpus.Entry) {
        let whole = Machine.verdict([entry.bytes[...]])
        #expect(Machine.verdict([(entry.bytes + Array("HTTP/1.1 200 OK\r\n".utf8))[...]]) == whole)
    }

    @Test(arguments: AnswerCorpus.entries(.refused))
    func `refuses an answer on which parsers could disagree, wherever it is divided`(entry: AnswerCorpus.Entry) {
        #expect(Machine.verdict([entry.bytes[...]]) == .refused)
        for division in entry.divisions {
            #expect(
                Machine.verdict([entry.bytes[..<division], entry.bytes[division...]]) == .refused, "at \(division)")
        }
    }

    @Test(arguments: AnswerCorpus.entries(.incomplete))
    func `waits for the rest of an answer`(entry: AnswerCorpus.Entry) {
        #expect(Machine.verdict([entry.bytes[...]]) == .incomplete)
        #expect(Machine.verdict(entry.bytes.indices.map { entry.bytes[$0...$0] }) == .incomplete)
    }

    @Test func `has every answer of the corpus`() {
        #expect(AnswerCorpus.entries(.accepted).count >= 20)
        #expect(AnswerCorpus.entries(.refused).count >= 80)
        #expect(AnswerCorpus.entries(.incomplete).count >= 9)
    }

    @Test func `reads every field that the gateway needs`() {
        let text = """
            HTTP/1.1 404 Not Found\r
            CONTENT-TYPE: application/problem+json; charset=utf-8\r
            x-kv-result: miss\r
            Retry-After: 2\r
            Server-Timing: queue;dur=1\r
            server-timing: fsync;dur=2\r
            X-REQUEST-ID: request-1\r
            content-length: 2\r
            etag: "7"\r
            Date: today\r
            \r
            {}
            """
        let expected = AnswerFields(
            status: 404, mediaType: .problem, revision: 7, isMiss: true, retryAfterSeconds: 2,
            serverTiming: "queue;dur=1, fsync;dur=2", isKeepAlive: true, body: Array("{}".utf8))
        #expect(Machine.verdict([Array(text.utf8)[...]]) == .complete(expected))
    }

    @Test(arguments: [("\"0\"", 0), ("\"7\"", 7), ("\"18446744073709551615\"", .max)] as [(String, UInt64)])
    func `reads the revision from the entity tag`(tag: String, revision: UInt64) {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\netag: \(tag)\r\n\r\n"
        let expected = AnswerFields(status: 200, revision: revision, isKeepAlive: true)
        #expect(Machine.verdict([Array(text.utf8)[...]]) == .complete(expected))
    }

    @Test(arguments: ["86401", "-1", "+1", "1.5", "Fri, 31 Dec 1999 23:59:59 GMT", "99999999999999999999"])
    func `ignores a retry interval that is no number of seconds up to a day`(value: String) {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nRetry-After: \(value)\r\n\r\n"
        #expect(Machine.verdict([Array(text.utf8)[...]]) == .complete(AnswerFields(status: 200, isKeepAlive: true)))
    }

    @Test(arguments: [
        ("1.1", "", true), ("1.1", "Connection: keep-alive\r\n", true), ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: foo, CLOSE\r\n", false), ("1.1", "Connection: keep-alive\r\nconnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true), ("1.0", "", false), ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: foo ,keep-alive\r\n", true), ("1.0", "Connection: close, keep-alive\r\n", false),
    ])
    func `knows whether the connection can be kept`(version: String, fields: String, isKept: Bool) {
        let text = "HTTP/\(version) 200 OK\r\nContent-Length: 0\r\n\(fields)\r\n"
        #expect(
            Machine.verdict([Array(text.utf8)[...]]) == .complete(AnswerFields(status: 200, isKeepAlive: isKept)))
    }
}
