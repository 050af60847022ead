import TestSupport
import Testing

@testable import AccessControl

@Suite("The file with access keys", .timeLimit(.minutes(1)))
struct AccessKeyParserTests {
    private static let hash = "sha256:" + String(repeating: "0123456789abcdef", count: 4)
    private static let other = "sha256:" + String(repeating: "f", count: 64)

    private func entries(_ text: String) throws(AccessKeyParser.Failure) -> [AccessEntry] {
        try AccessKeyParser.entries(Array(text.utf8))
    }

    private func failure(_ text: String) -> AccessKeyParser.Failure? {
        do throws(AccessKeyParser.Failure) {
            _ = try self.entries(text)
            return nil
        } catch { return error }
    }

    @Test func `an entry has all that its line says`() throws {
        let text = """
            # Clients of the shop

            orders-app \(Self.hash) roles=read,write prefixes=orders/,%00%ff,a%2Cb expires=2027-01-01T00:00:00Z
            \t monitor.1 \t \(Self.other)  roles=monitor\u{20}
            """
        let entries = try self.entries(text)
        #expect(entries.map(\.name) == ["orders-app", "monitor.1"])
        #expect(entries[0].digest.digits == String(Self.hash.dropFirst(7)))
        #expect(entries[0].roles == [.read, .write] && entries[1].roles == .monitor)
        #expect(entries[0].prefixes == [Array("orders/".utf8), [0, 0xFF], Array("a,b".utf8)])
        #expect(entries[0].expiresAt == 1_798_761_600 && entries[1].expiresAt == nil)
        #expect(entries[1].prefixes.isEmpty)
        #expect(
            entries[0].line == "orders-app \(Self.hash) roles=read,write prefixes=orders/,%00%ff,a%2cb "
                + "expires=2027-01-01T00:00:00Z")
    }

    @Test func `the fields behind the hash may have any order, and the last line needs no newline`() throws {
        let entry = try self.entries("a \(Self.hash) expires=2000-02-29T23:59:59Z prefixes=p roles=admin")[0]
        #expect(entry.expiresAt == 951_868_799 && entry.prefixes == [[112]] && entry.roles == .admin)
        #expect(try self.entries("").isEmpty && self.entries("\n\n# only this").isEmpty)
    }

    /// The line, and column and reason of the failure.
    static let wrong: [(line: String, column: Int, name: String?, reason: String)] = [
        ("é \(hash) roles=read", 1, nil, "a name has"),
        ("a:b \(hash) roles=read", 1, nil, "a name has"),
        ("\(String(repeating: "n", count: 65)) \(hash) roles=read", 1, nil, "a name has"),
        ("  txk_secret \(hash) roles=read", 3, nil, "a name has"),
        ("n", 2, "n", "the hash is missing"),
        ("n   ", 5, "n", "the hash is missing"),
        ("n sha256:", 3, "n", "a hash is"),
        ("n \(hash)0 roles=read", 3, "n", "a hash is"),
        ("n \(hash.dropLast()) roles=read", 3, "n", "a hash is"),
        ("n \(hash.uppercased()) roles=read", 3, "n", "a hash is"),
        ("n sha512:\(hash.dropFirst(7)) roles=read", 3, "n", "a hash is"),
        ("n \(hash)", 74, "n", "the roles are missing"),
        ("n \(hash) roles=", 81, "n", "roles are"),
        ("n \(hash) roles=read,", 86, "n", "roles are"),
        ("n \(hash) roles=read,owner", 86, "n", "roles are"),
        ("n \(hash) roles=Read", 81, "n", "roles are"),
        ("n \(hash) roles=read,read", 86, "n", "a role occurs twice"),
        ("n \(hash) roles=read roles=write", 86, "n", "only roles=, prefixes= and expires="),
        ("n \(hash) role=read", 75, "n", "only roles=, prefixes= and expires="),
        ("n \(hash) roles=read # no comment", 86, "n", "only roles=, prefixes= and expires="),
        ("n \(hash) roles=read prefixes=", 95, "n", "a prefix has"),
        ("n \(hash) roles=read prefixes=a,,b", 97, "n", "a prefix has"),
        ("n \(hash) roles=read prefixes=ab%", 95, "n", "a % of a prefix"),
        ("n \(hash) roles=read prefixes=b,%4", 97, "n", "a % of a prefix"),
        ("n \(hash) roles=read prefixes=%4g", 95, "n", "a % of a prefix"),
        ("n \(hash) roles=read expires=2027-01-01", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=2027-02-29T00:00:00Z", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=2100-02-29T00:00:00Z", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=2027-01-01T24:00:00Z", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=2027-01-01T00:00:60Z", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=2027-13-01T00:00:00Z", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=2027-00-01T00:00:00Z", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=2027-01-00T00:00:00Z", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=1969-12-31T23:59:59Z", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=2554-01-01T00:00:00Z", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=2027-01-01T00:00:00z", 94, "n", "a time is"),
        ("n \(hash) roles=read expires=2027-01-01T00:00:00+00:00", 94, "n", "a time is"),
        ("n \(hash) roles=read\r", 85, "n", "no printable ASCII"),
        ("n \(hash) roles=re\u{0}ad", 83, "n", "no printable ASCII"),
        ("n \(hash) roles=read prefixes=é", 95, "n", "no printable ASCII"),
    ]

    @Test(arguments: Self.wrong) func `a wrong line is refused with its place, and without its secrets`(
        _ wrong: (line: String, column: Int, name: String?, reason: String)
    ) throws {
        let failure = try #require(self.failure("# comment\n\(wrong.line)\n"))
        #expect(failure.line == 2)
        #expect(failure.column == wrong.column)
        #expect(failure.name == wrong.name)
        #expect(failure.reason.contains(wrong.reason))
        #expect(!"\(failure)".contains("0123456789abcdef") && !"\(failure)".contains("secret"))
    }

    @Test func `names and access keys are unique`() throws {
        let first = "a \(Self.hash) roles=read\n"
        let name = try #require(self.failure(first + "a \(Self.other) roles=read"))
        #expect("\(name)" == "line 2, column 1 (a): line 1 has the same name")
        let key = try #require(self.failure(first + "b \(Self.hash) roles=read"))
        #expect("\(key)" == "line 2, column 3 (b): line 1 has the same access key; each entry needs its own")
    }

    private static func line(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "n\(number) sha256:\(String(repeating: "0", count: 64 - digits.count))\(digits) roles=read\n"
    }

    @Test func `a thousand entries are the most, sixty-four prefixes, and a prefix of 1,024 bytes`() throws {
        let most = (0..<1_000).map(Self.line).joined()
        let table = AccessKeyTable(try self.entries(most))
        #expect(table.entries.count == 1_000)
        for entry in table.entries { #expect(table.entry(for: entry.digest) === entry) }
        #expect(self.failure(most + Self.line(1_000))?.line == 1_001)
        func prefixed(_ prefixes: [String]) -> AccessKeyParser.Failure? {
            self.failure("n \(Self.hash) roles=read prefixes=\(prefixes.joined(separator: ","))")
        }
        #expect(prefixed(Array(repeating: "p", count: 64)) == nil)
        #expect(prefixed(Array(repeating: "p", count: 65)) != nil)
        #expect(prefixed([String(repeating: "p", count: 1_024)]) == nil)
        #expect(prefixed([String(repeating: "p", count: 1_025)]) != nil)
    }

    /// What is accepted after a mutation says what it said before, or something else that reads back as itself.
    @Test func `a changed file is read as what it says, or refused`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let good = Array(
            """
            # comment
            orders-app \(Self.hash) roles=read,write prefixes=orders/,%00%ff expires=2027-01-01T00:00:00Z
            b \(Self.other) roles=monitor
            """.utf8)
        var accepted = 0
        for _ in 0..<20_000 {
            var text = good
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<text.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: text[place] = UInt8.random(in: .min ... .max, using: &generator)
                case 1: text.remove(at: place)
                case 2: text.insert(Array(" \t\n#,=%:".utf8).randomElement(using: &generator) ?? 0, at: place)
                default: text.swapAt(place, Int.random(in: 0..<text.count, using: &generator))
                }
            }
            do throws(AccessKeyParser.Failure) {
                let entries = try AccessKeyParser.entries(text)
                accepted += 1
                let again = try self.entries(entries.map { "\($0.line)\n" }.joined())
                #expect(again.map(\.line) == entries.map(\.line))
                #expect(again.map(\.prefixes) == entries.map(\.prefixes))
            } catch {
                #expect((1...5).contains(error.line) && (1...text.count + 1).contains(error.column))
            }
        }
        #expect(accepted > 100 && accepted < 19_000, "\(accepted)")
    }
}
