import TestSupport
import Testing

@testable import APIGateway

@Suite("Which upstream has a key", .timeLimit(.minutes(2)))
struct KeySpacesTests {
    private func spaces(_ prefixes: [(String, Int)], others: Int?) -> KeySpaces {
        KeySpaces(prefixes.map { (Array($0.0.utf8), $0.1) }, others: others)
    }

    @Test func `is decided by the longest prefix`() {
        let spaces = self.spaces([("o", 0), ("orders/", 1), ("orders/x/", 0), ("p", 3)], others: 2)
        let owners = [
            "a": 2, "o": 0, "order": 0, "orders/": 1, "orders/1": 1, "orders/x/1": 0, "orders0": 0, "p": 3, "q": 2,
        ]
        for (key, owner) in owners { #expect(spaces.owner(of: Array(key.utf8)) == owner, "\(key)") }
        #expect(self.spaces([("a", 0)], others: nil).owner(of: Array("b".utf8)) == nil)
    }

    @Test func `is known of ranges to the byte`() {
        let spaces = self.spaces([("o", 0), ("orders/", 1), ("p", 0)], others: nil)
        func owners(_ start: String, _ end: String?) -> [Int?] {
            spaces.owners(from: Array(start.utf8), to: end.map { Array($0.utf8) })
        }
        #expect(owners("orders/", "orders0") == [1])
        #expect(owners("orders/", "orders0\0") == [1, 0])
        #expect(owners("orders.", "orders/") == [0])
        #expect(owners("orders0", "q") == [0])
        #expect(owners("orders0", "q\0") == [0, nil])
        #expect(owners("o", nil) == [0, 1, nil])
        #expect(owners("", "o") == [nil])
        #expect(owners("orders/5", "a") == [1], "a range without keys is where it begins")
    }

    @Test func `belongs to the only one if that has all`() {
        #expect(self.spaces([], others: 0).onlyOwner == 0)
        #expect(self.spaces([("a", 0)], others: 0).onlyOwner == 0)
        #expect(self.spaces([("a", 1)], others: 0).onlyOwner == nil)
        #expect(self.spaces([("a", 0)], others: nil).onlyOwner == nil)
        // All keys that there are: no key is empty.
        #expect(KeySpaces((0...255).map { ([UInt8($0)], 0) }, others: nil).onlyOwner == 0)
    }

    // MARK: Against a model

    /// The bytes of the model's prefixes, and those that follow them in the order of keys.
    private static let ofPrefixes: [UInt8] = [0x00, 0x61, 0x62, 0xFF]
    private static let ofKeys: [UInt8] = [0x00, 0x01, 0x61, 0x62, 0x63, 0xFF]

    /// All keys of 1 to 4 of some bytes, in ascending order.
    private static let keys: [[UInt8]] = {
        var keys: [[UInt8]] = [[]]
        var longest: [[UInt8]] = [[]]
        for _ in 1...4 {
            longest = longest.flatMap { key in Self.ofKeys.map { key + [$0] } }
            keys += longest
        }
        return keys.filter { !$0.isEmpty }.sorted { $0.lexicographicallyPrecedes($1) }
    }()

    private func owner(_ key: [UInt8], _ prefixes: [(prefix: [UInt8], owner: Int)], _ others: Int?) -> Int? {
        prefixes.filter { key.starts(with: $0.prefix) }.max { $0.prefix.count < $1.prefix.count }?.owner ?? others
    }

    @Test func `is the same as found by looking at each key`() {
        var random = SeededGenerator()
        for _ in 0..<60 {
            var owners: [[UInt8]: Int] = [:]
            for _ in 0..<Int.random(in: 0...9, using: &random) {
                let prefix = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                    Self.ofPrefixes.randomElement(using: &random) ?? 0
                }
                owners[prefix] = Int.random(in: 0...3, using: &random)
            }
            let prefixes = owners.map { (prefix: $0.key, owner: $0.value) }
            let others = Bool.random(using: &random) ? Int.random(in: 0...3, using: &random) : nil
            let spaces = KeySpaces(prefixes, others: others)
            let model = Self.keys.map { self.owner($0, prefixes, others) }
            #expect(Self.keys.map(spaces.owner(of:)) == model, "\(prefixes), \(String(describing: others))")
            for _ in 0..<200 {
                let first = Int.random(in: 0...Self.keys.count, using: &random)
                let last = Int.random(in: 0...Self.keys.count, using: &random)
                guard first < last else { continue }
                // The empty start is before all keys, and no end is behind them.
                let start = first == 0 ? [] : Self.keys[first]
                let end = last == Self.keys.count ? nil : Self.keys[last]
                let found = spaces.owners(from: start, to: end)
                #expect(
                    Set(found) == Set(model[first..<last]) && found.count == Set(found).count,
                    "\(start) to \(String(describing: end)) with \(prefixes), \(String(describing: others))")
            }
        }
    }
}
