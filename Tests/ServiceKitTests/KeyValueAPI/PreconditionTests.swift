import HTTP1
import HTTPServing
import NIOHTTP1
import TestSupport
import Testing

@testable import KeyValueHTTP

@Suite("The condition of a request", .timeLimit(.minutes(1)))
struct PreconditionTests {
    private func ofWrite(_ fields: [(name: String, value: String)]) throws(Problem) -> Precondition {
        try Precondition(ofWrite: .sample(.put, query: "key=k", fields: fields, body: [1]))
    }

    private func ofRead(_ fields: [(name: String, value: String)]) -> CachedRevisions {
        CachedRevisions(of: .sample(.get, query: "key=k", fields: fields))
    }

    /// All texts of up to so many of these characters.
    private static func texts(of alphabet: String, upTo length: Int) -> [String] {
        var all = [""]
        var last = [""]
        for _ in 0..<length {
            last = last.flatMap { text in alphabet.map { text + String($0) } }
            all += last
        }
        return all
    }

    private static let texts = Self.texts(of: "\"01W/*, ", upTo: 4)

    private static func trimmed(_ text: String) -> String {
        var rest = text[...]
        while rest.first == " " { rest = rest.dropFirst() }
        while rest.last == " " { rest = rest.dropLast() }
        return String(rest)
    }

    @Test func `in If-Match of a write is one revision or an asterisk, and nothing else`() throws {
        var tally: [String: Int] = [:]
        for text in Self.texts {
            let value = Self.trimmed(text)
            let digits = value.dropFirst().dropLast()
            var expected: Precondition?
            if value == "*" { expected = .exists }
            if value.count > 2, value.first == "\"", value.last == "\"", digits.allSatisfy({ "01".contains($0) }),
                digits.first != "0"
            {
                expected = .revision(try #require(UInt64(digits)))
            }
            do throws(Problem) {
                let read = try self.ofWrite([("If-Match", text)])
                #expect(read == expected, "\(text)")
                tally["taken", default: 0] += 1
            } catch {
                #expect(expected == nil, "\(text)")
                #expect(error.code == "bad_precondition" && error.status.code == 400 && error.applied == .no)
                #expect(error.detail.contains("If-Match"))
                tally["refused", default: 0] += 1
            }
        }
        #expect(tally["taken", default: 0] > 10 && tally["refused", default: 0] > 1_000, "\(tally)")
    }

    @Test func `in If-None-Match of a write is an asterisk, and nothing else`() {
        for text in Self.texts {
            do throws(Problem) {
                let read = try self.ofWrite([("if-none-match", text)])
                #expect(read == .absent && Self.trimmed(text) == "*", "\(text)")
            } catch {
                #expect(Self.trimmed(text) != "*", "\(text)")
                #expect(error.code == "bad_precondition" && error.status.code == 400 && error.applied == .no)
                #expect(error.detail.contains("If-None-Match"))
            }
        }
    }

    @Test func `is a revision up to the largest number of 64 bits`() throws {
        #expect(try self.ofWrite([]) == .none)
        #expect(try self.ofWrite([("IF-MATCH", "\"1\"")]) == .revision(1))
        #expect(try self.ofWrite([("If-Match", "\"18446744073709551615\"")]) == .revision(.max))
        for tag in [
            "18446744073709551616", "99999999999999999999", "184467440737095516150", "x", "1a", "-1", "+1", "1 ",
        ] {
            #expect(throws: Problem.self, "\(tag)") { try self.ofWrite([("If-Match", "\"\(tag)\"")]) }
        }
    }

    @Test(arguments: [
        [("If-Match", "*"), ("If-Match", "*")], [("If-Match", "\"1\""), ("if-match", "\"1\"")],
        [("If-None-Match", "*"), ("If-None-Match", "*")], [("If-Match", "*"), ("If-None-Match", "*")],
        [("If-None-Match", "*"), ("If-Match", "\"1\"")], [("If-Match", "\"1\""), ("If-Match", "")],
    ])
    func `of a write is one`(fields: [(String, String)]) {
        let problem = #expect(throws: Problem.self) { try self.ofWrite(fields.map { (name: $0, value: $1) }) }
        #expect(problem?.code == "bad_precondition" && problem?.applied == .no)
    }

    // MARK: - Reads

    /// Other tests have such.
    private static func hasCommaInQuotes(_ text: String) -> Bool {
        guard let first = text.firstIndex(of: "\""), let last = text.lastIndex(of: "\"") else { return false }
        return text[first...last].contains(",")
    }

    /// The grammar, in another form, for lists without commas within tags: nil for a text outside of it.
    private static func cached(_ list: String) -> CachedRevisions? {
        var revisions: [UInt64] = []
        var elements = 0
        var isAny = false
        for element in list.split(separator: ",", omittingEmptySubsequences: false) {
            var rest = Self.trimmed(String(element))[...]
            if rest.isEmpty { continue }
            elements += 1
            if rest == "*" {
                isAny = true
                continue
            }
            if rest.hasPrefix("W/") { rest = rest.dropFirst(2) }
            let tag = rest.dropFirst().dropLast()
            guard rest.count >= 2, rest.first == "\"", rest.last == "\"", !tag.contains("\""), !tag.contains(" ") else {
                return nil
            }
            if let revision = UInt64(tag), revision > 0, String(revision) == tag { revisions.append(revision) }
        }
        if isAny { return elements == 1 ? .any : nil }
        return .these(revisions)
    }

    @Test func `in If-None-Match of a read is a list of tags or an asterisk; all else is ignored`() {
        var tally: [String: Int] = [:]
        for text in Self.texts where !Self.hasCommaInQuotes(text) {
            let expected = Self.cached(text)
            #expect(self.ofRead([("If-None-Match", text)]) == expected ?? .none, "\(text)")
            switch expected {
            case .these(let revisions)?: tally[revisions.isEmpty ? "none" : "tags", default: 0] += 1
            case .any?: tally["any", default: 0] += 1
            default: tally["ignored", default: 0] += 1
            }
        }
        for kind in ["none", "tags", "any", "ignored"] { #expect(tally[kind, default: 0] > 5, "\(tally)") }
    }

    @Test func `of a read is compared weakly, over all its fields, and knows commas within tags`() {
        #expect(self.ofRead([]) == .none)
        #expect(self.ofRead([("If-Match", "\"1\"")]) == .none)
        #expect(self.ofRead([("If-None-Match", "W/\"1\" ,\t\"2\",,\"x,3\", W/\"04\"")]) == .these([1, 2]))
        #expect(self.ofRead([("If-None-Match", "\",\", \"7\"")]) == .these([7]))
        #expect(self.ofRead([("If-None-Match", "\"1\""), ("if-none-match", "\"2\"")]) == .these([1, 2]))
        #expect(self.ofRead([("If-None-Match", "\"1\""), ("If-None-Match", "*")]) == .none)
        #expect(self.ofRead([("If-None-Match", "\"1\""), ("If-None-Match", "2")]) == .none)
        #expect(self.ofRead([("If-None-Match", "w/\"1\"")]) == .none)
        #expect(self.ofRead([("If-None-Match", "\"18446744073709551616\"")]) == .these([]))
        #expect(CachedRevisions.these([1, 2]).contains(2) && !CachedRevisions.these([1, 2]).contains(3))
        #expect(CachedRevisions.any.contains(3) && !CachedRevisions.none.contains(3))
    }

    @Test func `is met by the same states as the log's`() {
        let rows: [(Precondition, [Bool])] = [
            (.none, [true, true, true]), (.exists, [false, true, true]), (.absent, [true, false, false]),
            (.revision(1), [false, true, false]),
        ]
        for (condition, isMet) in rows { #expect([nil, 1, 2].map { condition.isMet(by: $0) } == isMet) }
    }
}
