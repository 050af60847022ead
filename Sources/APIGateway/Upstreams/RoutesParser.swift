import AccessControl
import ServiceSettings

/// Reads the text of a routes file.
///
/// One upstream a line, `#` begins a comment line, and lines may be empty:
///
///     orders  https://kv-orders:8081  prefixes=orders/,carts/
///     main    https://kv-main:8081    prefixes=*
struct RoutesParser {
    static let maximumRoutes = 16

    private typealias Word = EntryWord

    private let refusal: (UpstreamAddress) -> String?
    private var routes: [UpstreamRoute] = []
    /// The lines on which something was named first.
    private var names: [String: Int] = [:]
    private var addresses: [ListenAddress: Int] = [:]
    private var prefixes: [[UInt8]: Int] = [:]
    private var lineOfOthers: Int?
    private var line = 0
    /// Of the entry that is being read.
    private var name: String?

    private init(refusal: @escaping (UpstreamAddress) -> String?) { self.refusal = refusal }

    /// - Parameter refusal: what is wrong with an address, nil if nothing is.
    /// - Returns: at least one route, in the order of the file.
    static func routes(
        _ text: [UInt8], refusal: @escaping (UpstreamAddress) -> String? = { _ in nil }
    ) throws(EntryFailure) -> [UpstreamRoute] {
        var parser = Self(refusal: refusal)
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            try parser.take(line)
        }
        guard !parser.routes.isEmpty else {
            throw parser.failure(Word(column: 1, bytes: []), "there is no upstream: NAME URL prefixes=PREFIX,…")
        }
        return parser.routes
    }

    private mutating func take(_ line: ArraySlice<UInt8>) throws(EntryFailure) {
        self.line += 1
        self.name = nil
        let words = Word.words(line)
        guard let first = words.first else { return }
        guard Word.isName(first.bytes) else {
            throw self.failure(first, "a name has 1 to 64 of the characters A-Z a-z 0-9 . _ -")
        }
        let name = String(decoding: first.bytes, as: UTF8.self)
        self.name = name
        if let odd = Word.unprintable(in: line) {
            throw self.failure(odd, "there is a byte that is no printable ASCII character")
        }
        try self.note(name, in: \.names, first, "the same name")
        guard self.routes.count < Self.maximumRoutes else {
            throw self.failure(first, "there are more than \(Self.maximumRoutes) upstreams")
        }
        let end = Word(column: line.count + 1, bytes: [])
        guard words.count > 1 else { throw self.failure(end, "the URL is missing: http://host:port") }
        let address = try self.address(words[1])
        guard words.count > 2 else {
            throw self.failure(
                end, "the prefixes are missing, such as prefixes=orders/,carts/ or, for every other key, prefixes=*")
        }
        guard let text = words[2].rest(after: "prefixes="), words.count == 3 else {
            let word = words[2].rest(after: "prefixes=") == nil ? words[2] : words[3]
            throw self.failure(word, "only prefixes= follows the URL, once")
        }
        let (prefixes, takesOthers) = try self.prefixes(text)
        self.routes.append(
            UpstreamRoute(name: name, address: address, prefixes: prefixes, takesOthers: takesOthers))
    }

    private mutating func address(_ word: Word) throws(EntryFailure) -> UpstreamAddress {
        guard let address = UpstreamAddress(String(decoding: word.bytes, as: UTF8.self)) else {
            throw self.failure(word, "a URL is http://host:port or https://host:port, without a path")
        }
        if let reason = self.refusal(address) { throw self.failure(word, reason) }
        try self.note(address.address, in: \.addresses, word, "the same address; give it all its prefixes there")
        return address
    }

    private mutating func prefixes(_ word: Word) throws(EntryFailure) -> (prefixes: [[UInt8]], takesOthers: Bool) {
        var (prefixes, takesOthers): ([[UInt8]], Bool) = ([], false)
        for part in word.parts {
            if part.bytes.elementsEqual("*".utf8) {
                if let other = self.lineOfOthers { throw self.failure(part, "line \(other) has prefixes=* too") }
                (takesOthers, self.lineOfOthers) = (true, self.line)
                continue
            }
            if part.bytes.contains(UInt8(ascii: "*")) {
                throw self.failure(
                    part, "a prefix ends by itself: * stands alone for every other key, %2A for that byte")
            }
            switch part.prefix(inPlaceOfEmpty: "prefixes=* is for every other key") {
            case .success(let prefix):
                try self.note(prefix, in: \.prefixes, part, "the same prefix")
                prefixes.append(prefix)
            case .failure(let failure): throw self.failure(part, failure.reason)
            }
        }
        guard prefixes.count <= KeyPrefix.maximumCount else {
            throw self.failure(word, "there are more than \(KeyPrefix.maximumCount) prefixes")
        }
        return (prefixes, takesOthers)
    }

    /// Notes what may be in the file only once.
    private mutating func note<Value>(
        _ value: Value, in lines: WritableKeyPath<Self, [Value: Int]>, _ word: Word, _ what: String
    ) throws(EntryFailure) {
        if let other = self[keyPath: lines].updateValue(self.line, forKey: value) {
            throw self.failure(word, "line \(other) has \(what)")
        }
    }

    private func failure(_ word: Word, _ reason: String) -> EntryFailure {
        EntryFailure(line: max(self.line, 1), column: word.column, name: self.name, reason: reason)
    }
}
