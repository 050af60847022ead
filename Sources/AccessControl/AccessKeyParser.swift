/// Reads the text of a file with access keys.
///
/// One entry a line, `#` begins a comment line, and lines may be empty:
///
///     orders-app sha256:<64 hexadecimal digits> roles=read,write prefixes=orders/,users/ expires=2027-01-01T00:00:00Z
public struct AccessKeyParser {
    /// What is wrong with a line. Contains no more of it than the name of its entry.
    public struct Failure: Error, Equatable, CustomStringConvertible {
        /// From 1.
        public let line: Int
        /// In bytes, from 1.
        public let column: Int
        /// Nil if the name is not known, or is none.
        public let name: String?
        public let reason: String

        public var description: String {
            "line \(self.line), column \(self.column)\(self.name.map { " (\($0))" } ?? ""): \(self.reason)"
        }
    }

    public static let maximumPrefixes = 64
    public static let maximumPrefixBytes = 1_024

    /// A part of a line without blanks, and its column.
    private struct Word {
        let column: Int
        let bytes: ArraySlice<UInt8>

        /// What follows `beginning`; nil if it begins otherwise.
        func rest(after beginning: String) -> Word? {
            guard self.bytes.starts(with: beginning.utf8) else { return nil }
            let count = beginning.utf8.count
            return Word(column: self.column + count, bytes: self.bytes.dropFirst(count))
        }

        /// The parts between commas.
        var parts: [Word] {
            var column = self.column
            return self.bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { part in
                defer { column += part.count + 1 }
                return Word(column: column, bytes: part)
            }
        }
    }

    private var entries: [AccessEntry] = []
    private var lines: [String: Int] = [:]
    private var digests: [AccessDigest: Int] = [:]
    private var line = 0
    /// Of the entry that is being read.
    private var name: String?

    private init() {}

    public static func entries(_ text: [UInt8]) throws(Failure) -> [AccessEntry] {
        var parser = Self()
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            try parser.take(line)
        }
        return parser.entries
    }

    /// Whether a line has the entry of this name.
    public static func isEntry(_ line: ArraySlice<UInt8>, named name: String) -> Bool {
        self.words(line).first.map { $0.bytes.elementsEqual(name.utf8) } ?? false
    }

    /// Whether a text may be the name of an entry: 1 to 64 of `[A-Za-z0-9._-]`, and no access key.
    public static func isName(_ text: some Collection<UInt8>) -> Bool {
        (1...64).contains(text.count) && !text.starts(with: AccessKey.prefix.utf8)
            && text.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "._-".utf8.contains(byte)
                }
            }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    private static func words(_ line: ArraySlice<UInt8>) -> [Word] {
        line.split(whereSeparator: self.isBlank).map { Word(column: $0.startIndex - line.startIndex + 1, bytes: $0) }
    }

    private mutating func take(_ line: ArraySlice<UInt8>) throws(Failure) {
        self.line += 1
        self.name = nil
        let words = Self.words(line)
        guard let first = words.first, first.bytes.first != UInt8(ascii: "#") else { return }
        guard Self.isName(first.bytes) else {
            throw self.failure(
                first, "a name has 1 to 64 of the characters A-Z a-z 0-9 . _ - and does not begin with txk_")
        }
        let name = String(decoding: first.bytes, as: UTF8.self)
        self.name = name
        if let odd = line.firstIndex(where: { !Self.isBlank($0) && !(0x21...0x7E).contains($0) }) {
            let word = Word(column: odd - line.startIndex + 1, bytes: [])
            throw self.failure(word, "there is a byte that is no printable ASCII character")
        }
        if let other = self.lines[name] { throw self.failure(first, "line \(other) has the same name") }
        guard self.entries.count < AccessKeyTable.maximumEntries else {
            throw self.failure(first, "there are more than \(AccessKeyTable.maximumEntries) entries")
        }
        self.entries.append(try self.entry(name, words.dropFirst(), end: line.count + 1))
        self.lines[name] = self.line
    }

    private mutating func entry(
        _ name: String, _ words: ArraySlice<Word>, end: Int
    ) throws(Failure) -> AccessEntry {
        guard let word = words.first else {
            throw self.failure(Word(column: end, bytes: []), "the hash is missing: sha256: and 64 hexadecimal digits")
        }
        let digest = try self.digest(word)
        var (roles, prefixes, expiresAt): (AccessRoles?, [[UInt8]]?, UInt64?) = (nil, nil, nil)
        for word in words.dropFirst() {
            if let text = word.rest(after: "roles="), roles == nil {
                roles = try self.roles(text)
            } else if let text = word.rest(after: "prefixes="), prefixes == nil {
                prefixes = try self.prefixes(text)
            } else if let text = word.rest(after: "expires="), expiresAt == nil {
                expiresAt = try self.expiry(text)
            } else {
                throw self.failure(word, "only roles=, prefixes= and expires= follow the hash, each once")
            }
        }
        guard let roles else {
            throw self.failure(Word(column: end, bytes: []), "the roles are missing, such as roles=read,write")
        }
        return AccessEntry(
            name: name, digest: digest, roles: roles, prefixes: prefixes ?? [], expiresAt: expiresAt)
    }

    private mutating func digest(_ word: Word) throws(Failure) -> AccessDigest {
        guard let digits = word.rest(after: "sha256:"), let digest = AccessDigest(digits: Array(digits.bytes).span)
        else { throw self.failure(word, "a hash is sha256: and 64 lowercase hexadecimal digits") }
        if let other = self.digests.updateValue(self.line, forKey: digest) {
            throw self.failure(word, "line \(other) has the same access key; each entry needs its own")
        }
        return digest
    }

    private func roles(_ word: Word) throws(Failure) -> AccessRoles {
        var roles: AccessRoles = []
        for part in word.parts {
            guard let role = AccessRole(rawValue: String(decoding: part.bytes, as: UTF8.self)) else {
                throw self.failure(
                    part,
                    "roles are \(AccessRole.allCases.map(\.rawValue).joined(separator: ", ")), with commas between")
            }
            guard roles.insert(AccessRoles(role)).inserted else { throw self.failure(part, "a role occurs twice") }
        }
        return roles
    }

    private func prefixes(_ word: Word) throws(Failure) -> [[UInt8]] {
        var prefixes: [[UInt8]] = []
        for part in word.parts {
            guard let prefix = AccessPrefix.bytes(part.bytes) else {
                throw self.failure(part, "a % of a prefix is not followed by two hexadecimal digits")
            }
            guard (1...Self.maximumPrefixBytes).contains(prefix.count) else {
                throw self.failure(
                    part, "a prefix has 1 to \(Self.maximumPrefixBytes) bytes; leave prefixes= out to permit all keys")
            }
            prefixes.append(prefix)
        }
        guard prefixes.count <= Self.maximumPrefixes else {
            throw self.failure(word, "there are more than \(Self.maximumPrefixes) prefixes")
        }
        return prefixes
    }

    private func expiry(_ word: Word) throws(Failure) -> UInt64 {
        guard let seconds = AccessExpiry.seconds(Array(word.bytes)) else {
            throw self.failure(word, "a time is such as 2027-01-01T00:00:00Z: UTC, in whole seconds, before 2554")
        }
        return seconds
    }

    private func failure(_ word: Word, _ reason: String) -> Failure {
        Failure(line: self.line, column: word.column, name: self.name, reason: reason)
    }
}
