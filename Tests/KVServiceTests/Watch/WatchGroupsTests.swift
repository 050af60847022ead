import TestSupport
import Testing

@testable import KVService
@testable import KeyValueHTTP

@Suite("Groups of watchers", .timeLimit(.minutes(1)))
struct WatchGroupsTests {
    private static func selection(_ bytes: [UInt8], isPrefix: Bool, withPrevious: Bool) throws -> WatchRequest.Selection
    {
        let text = KeyValueClient.encoded(bytes)
        return try WatchRequest(
            query: "\(isPrefix ? "prefix" : "key")=\(text)&previous=\(withPrevious)", lastEventIDs: []
        ).selection
    }

    @Test func `of a key are those that its bytes say, while groups come and go`() throws {
        var generator = SeededGenerator()
        var groups = WatchGroups()
        var held: [WatchGroup] = []
        func bytes(_ least: Int) -> [UInt8] {
            (0..<Int.random(in: least...5, using: &generator)).map { _ in UInt8.random(in: 0...2, using: &generator) }
        }
        for step in 0..<3_000 {
            if generator.chance(0.4), let group = held.randomElement(using: &generator) {
                groups.remove(group)
                held.removeAll { $0 === group }
            } else {
                let isPrefix = generator.chance(0.6)
                let group = groups.group(
                    of: try Self.selection(
                        bytes(isPrefix ? 0 : 1), isPrefix: isPrefix, withPrevious: generator.chance(0.3)))
                if !held.contains(where: { $0 === group }) { held.append(group) }
            }
            #expect(Set(held.map(\.selection)).count == held.count, "step \(step): a group is there twice")
            let key = bytes(1)
            var found: [WatchGroup] = []
            key.withUnsafeBytes { groups.forEach(of: $0) { found.append($0) } }
            let expected = held.filter { group in
                group.selection.isPrefix ? key.starts(with: group.selection.bytes) : key == group.selection.bytes
            }
            #expect(Set(found.map(\.selection)) == Set(expected.map(\.selection)), "step \(step), key \(key)")
            #expect(found.count == expected.count, "step \(step), key \(key)")
        }
        for group in held { groups.remove(group) }
        #expect(groups.isEmpty)
    }
}
