import Glibc
import KeyValueHTTP

/// Which owner has which keys, by the longest prefix that a key begins with.
///
/// Prefixes contain each other or have no key in common. So the owner is constant between boundaries, the first and the
/// last key of each prefix:
///
/// ```
/// prefixes      o ↦ 0      orders/ ↦ 1      others ↦ 2
///
///        ""        o          orders/     orders0      p
/// owner  │    2    │    0     │     1     │     0      │    2  …
/// ```
struct KeySpaces: Sendable, Equatable {
    /// The first key of each section, in ascending order; the first section begins with the first key that there can be.
    private let starts: [[UInt8]]
    /// The owner of each section, nil for keys that no prefix covers. Neighbours have different owners.
    private let owners: [Int?]

    /// - Parameters:
    ///   - prefixes: each once, and not empty.
    ///   - others: the owner of keys that begin with none of them.
    init(_ prefixes: [(prefix: [UInt8], owner: Int)], others: Int?) {
        var sections = Sections(others)
        // Those that contain the current place, the longest last.
        var around: [(prefix: [UInt8], owner: Int)] = []
        func leave() {
            guard let left = around.popLast(), let end = KeysRequest.end(ofPrefix: left.prefix) else { return }
            sections.begin(at: end, around.last?.owner ?? others)
        }
        for next in prefixes.sorted(by: { $0.prefix.lexicographicallyPrecedes($1.prefix) }) {
            while let last = around.last, !next.prefix.starts(with: last.prefix) { leave() }
            around.append(next)
            sections.begin(at: next.prefix, next.owner)
        }
        while !around.isEmpty { leave() }
        (self.starts, self.owners) = sections.joined
    }

    init(_ routes: [UpstreamRoute]) {
        self.init(
            routes.enumerated().flatMap { place, route in route.prefixes.map { ($0, place) } },
            others: routes.firstIndex(where: \.takesOthers))
    }

    /// The owner of all keys; nil if there are several, or some keys have none.
    var onlyOwner: Int? { self.owners.count == 1 ? self.owners[0] : nil }

    func owner(of key: UnsafeRawBufferPointer) -> Int? { unsafe self.owners[self.section(of: key)] }

    func owner(of key: [UInt8]) -> Int? {
        // The pointer is used only for this call.
        unsafe key.withUnsafeBytes { unsafe self.owner(of: $0) }
    }

    /// The owners of the keys from `start` on and before `end`, if there is an end; once each, in the order of the keys. Of
    /// a range without keys, that of `start`.
    func owners(from start: [UInt8], to end: [UInt8]?) -> [Int?] {
        let first = unsafe start.withUnsafeBytes { unsafe self.section(of: $0) }
        var last = self.starts.count - 1
        if let end {
            last = unsafe end.withUnsafeBytes { end in
                let section = unsafe self.section(of: end)
                return unsafe self.starts[section].elementsEqual(end) ? section - 1 : section
            }
        }
        guard first < last else { return [self.owners[first]] }
        var found: [Int?] = []
        for owner in self.owners[first...last] where !found.contains(owner) { found.append(owner) }
        return found
    }

    /// The last section that begins with this key or before it; the first one for the empty key, which is none.
    private func section(of key: UnsafeRawBufferPointer) -> Int {
        var (low, high) = (0, self.starts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if unsafe Self.precedes(key, self.starts[middle]) { high = middle } else { low = middle }
        }
        return low
    }

    private static func precedes(_ key: UnsafeRawBufferPointer, _ start: [UInt8]) -> Bool {
        // The pointers are used only for this call.
        let order = unsafe start.withUnsafeBytes { start in
            guard let own = key.baseAddress, let other = start.baseAddress else { return Int32(0) }
            return unsafe memcmp(own, other, min(key.count, start.count))
        }
        return order == 0 ? key.count < start.count : order < 0
    }

    /// Sections while they are found, in ascending order.
    private struct Sections {
        /// The first key that there can be: a key is not empty.
        private static let firstKey: [UInt8] = [0]

        private var starts = [Sections.firstKey]
        private var owners: [Int?]

        init(_ others: Int?) { self.owners = [others] }

        mutating func begin(at start: [UInt8], _ owner: Int?) {
            if self.starts.last == start {
                self.owners[self.owners.count - 1] = owner
            } else {
                self.starts.append(start)
                self.owners.append(owner)
            }
        }

        /// Without boundaries between sections of one owner.
        var joined: (starts: [[UInt8]], owners: [Int?]) {
            let kept = self.starts.indices.filter { $0 == 0 || self.owners[$0] != self.owners[$0 - 1] }
            return (kept.map { self.starts[$0] }, kept.map { self.owners[$0] })
        }
    }
}
