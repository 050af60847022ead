import JSON
import TestSupport
import Testing

@testable import AccessControl

@Suite("Access keys", .timeLimit(.minutes(1)))
struct AccessKeyTests {
    private func digest(of text: String) -> AccessDigest? { AccessDigest(ofKey: text.utf8.span) }
    private func digest(digits: String) -> AccessDigest? { AccessDigest(digits: digits.utf8.span) }
    private func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool { ConstantTime.isEqual(left.span, right.span) }

    @Test func `a new one has the form of one, and is never the same`() throws {
        let keys = (0..<100).map { _ in AccessKey.random().text }
        #expect(Set(keys).count == 100)
        for key in keys {
            #expect(key.hasPrefix("txk_") && key.utf8.count == 47)
            #expect(Base64.decodeForURL(Array(key.utf8.dropFirst(4)))?.count == 32)
            #expect(self.digest(of: key) != nil)
        }
    }

    @Test func `its digest is the SHA-256 of its text`() throws {
        // printf %s txk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA | sha256sum
        let text = "txk_" + String(repeating: "A", count: 43)
        let digest = try #require(self.digest(of: text))
        #expect(digest.digits == "23918a39d34998c19c85ce3f3b116ea996a683763a65cb3d40dc6c9b148e3092")
        #expect(self.digest(digits: digest.digits) == digest)
    }

    @Test(arguments: [
        "", "txk_", "txk_" + String(repeating: "A", count: 42), "txk_" + String(repeating: "A", count: 44),
        "txK_" + String(repeating: "A", count: 43), "txk_" + String(repeating: "A", count: 42) + "=",
        "txk_" + String(repeating: "A", count: 42) + "+", "txk_" + String(repeating: "A", count: 42) + " ",
        "txk_" + String(repeating: "A", count: 42) + "\u{0}", String(repeating: "A", count: 47),
    ])
    func `other texts are none`(_ text: String) {
        #expect(self.digest(of: text) == nil)
    }

    /// Every byte counts, whatever the length, also where the comparison takes eight at a time.
    @Test func `texts are equal only if all their bytes are`() {
        var generator = SeededGenerator(printingFor: #function)
        for count in 0...70 {
            let bytes = generator.bytes(count)
            #expect(self.isEqual(bytes, bytes))
            #expect(!self.isEqual(bytes, bytes + [0]))
            for index in bytes.indices {
                var other = bytes
                other[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                #expect(!self.isEqual(bytes, other))
            }
        }
    }

    @Test func `digests that begin alike are told apart`() throws {
        let begin = String(repeating: "0", count: 16)
        func entry(_ last: String) throws -> AccessEntry {
            let digest = try #require(self.digest(digits: begin + String(repeating: "a", count: 47) + last))
            return AccessEntry(name: "n\(last)", digest: digest, roles: .read, prefixes: [], expiresAt: nil)
        }
        let entries = [try entry("1"), try entry("2")]
        let table = AccessKeyTable(entries)
        #expect(table.entry(for: entries[0].digest) === entries[0])
        #expect(table.entry(for: entries[1].digest) === entries[1])
        #expect(table.entry(for: try entry("3").digest) == nil)
    }

    @Test func `an entry ends with its second`() throws {
        func entry(_ seconds: UInt64?) -> AccessEntry {
            AccessEntry(name: "n", digest: AccessKey.random().digest, roles: .read, prefixes: [], expiresAt: seconds)
        }
        let second: UInt64 = 1_798_761_600
        #expect(!entry(second).isExpired(at: second * 1_000_000_000 - 1))
        #expect(entry(second).isExpired(at: second * 1_000_000_000))
        #expect(!entry(nil).isExpired(at: .max - 1))
        #expect(entry(0).isExpired(at: 0))
    }

    @Test func `roles permit themselves, and admin also what monitor may`() {
        for role in AccessRole.allCases {
            for other in AccessRole.allCases {
                let isPermitted = role == other || (role == .admin && other == .monitor)
                #expect(AccessRoles(role).permits(other) == isPermitted, "\(role) \(other)")
            }
        }
        #expect(AccessRoles([.write, .read]).text == "read,write")
    }

    @Test func `a replaced table has another version, and the old entries are not found`() {
        let key = AccessKey.random()
        func entry() -> AccessEntry {
            AccessEntry(name: "n", digest: key.digest, roles: .read, prefixes: [], expiresAt: nil)
        }
        let keys = AccessKeys(AccessKeyTable([entry()]))
        let version = keys.version
        #expect(keys.table.entry(for: key.digest) != nil && keys.table.version == version)
        keys.replace(AccessKeyTable())
        #expect(keys.version != version && keys.table.entry(for: key.digest) == nil)
    }

    @Test func `days and seconds of the calendar are counted as they are`() throws {
        // date -u -d 2400-03-01T00:00:00Z +%s
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", UInt64(0)), ("2000-03-01T00:00:00Z", 951_868_800),
            ("2400-03-01T00:00:00Z", 13_574_649_600), ("2553-12-31T23:59:59Z", 18_429_292_799),
        ] {
            #expect(AccessExpiry.seconds(Array(text.utf8)) == seconds)
            #expect(AccessExpiry.text(seconds) == text)
        }
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<1_000 {
            let seconds = UInt64.random(in: 0..<18_429_292_800, using: &generator)
            #expect(AccessExpiry.seconds(Array(AccessExpiry.text(seconds).utf8)) == seconds)
        }
    }
}
