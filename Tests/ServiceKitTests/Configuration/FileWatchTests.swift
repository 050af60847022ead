import Testing

@testable import ServiceKit

@Suite("When files are read again", .timeLimit(.minutes(1)))
struct FileWatchTests {
    private func watch() -> FileWatch<Int> {
        var watch = FileWatch<Int>()
        watch.wereRead(["cert": 1, "key": 1])
        return watch
    }

    private func expect(_ watch: inout FileWatch<Int>, _ signatures: [String: Int?], _ isDue: Bool) {
        let found = watch.look(signatures)
        #expect(found == isDue, "\(signatures)")
    }

    @Test func `not while they stay the same`() {
        var watch = self.watch()
        for _ in 0..<3 { self.expect(&watch, ["cert": 1, "key": 1], false) }
    }

    @Test func `once they have stayed the same from one look to the next`() {
        var watch = self.watch()
        self.expect(&watch, ["cert": 2, "key": 1], false)
        self.expect(&watch, ["cert": 2, "key": 2], false)
        self.expect(&watch, ["cert": 2, "key": 2], true)
        watch.wereRead(["cert": 2, "key": 2])
        self.expect(&watch, ["cert": 2, "key": 2], false)
    }

    @Test func `not while one is missing, but when it is back`() {
        var watch = self.watch()
        for _ in 0..<3 { self.expect(&watch, ["cert": 2, "key": nil], false) }
        self.expect(&watch, ["cert": 2, "key": 2], false)
        self.expect(&watch, ["cert": 2, "key": 2], true)
    }

    @Test func `not if the old ones come back`() {
        var watch = self.watch()
        self.expect(&watch, ["cert": 2, "key": 1], false)
        for _ in 0..<3 { self.expect(&watch, ["cert": 1, "key": 1], false) }
    }
}
