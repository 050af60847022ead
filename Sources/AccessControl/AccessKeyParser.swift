/// Reads the text of a file with access keys.
///
/// One entry a line, `#` begins a comment line, and lines may be empty:
///
///     orders-app sha256:<64 hexadecimal digits> roles=read,write prefixes=orders/,users/ expires=2027-01-01T00:00:00Z
public struct AccessKeyParser {
    public typealias Failure = EntryFailure
    private typealias Word = EntryWord

    public static let maximumPrefixes = KeyPrefix.maximumCount
    public static let maximumPrefixBytes = KeyPrefix.maximumBytes

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
        EntryWord.words(line).first.map { $0.bytes.elementsEqual(name.utf8) } ?? false
    }

    /// Whether a text may be the name of an entry: 1 to 64 of `[A-Za-z0-9._-]`, and no access key.
    public static func isName(_ text: some Collection<UInt8>) -> Bool {
        EntryWord.isName(text) && !text.starts(with: AccessKey.prefix.utf8)
    }

    private mutating func take(_ line: ArraySlice<UInt8>) throws(Failure) {
        self.line += 1
        self.name = nil
        let words = EntryWord.words(line)
        guard let first = words.first else { return }
        guard Self.isName(first.bytes) else {
            throw self.failure(
                first, "a name has 1 to 64 of the characters A-Z a-z 0-9 . _ - and does not begin with txk_")
        }
        let name = String(decoding: first.bytes, as: UTF8.self)
        self.name = name
        if let odd = EntryWord.unprintable(in: line) {
            throw self.failure(odd, "there is a byte that is no printable ASCII character")
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
            switch part.prefix(inPlaceOfEmpty: "leave prefixes= out to permit all keys") {
            case .success(let prefix): prefixes.append(prefix)
            case .failure(let failure): throw self.failure(part, failure.reason)
            }
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
