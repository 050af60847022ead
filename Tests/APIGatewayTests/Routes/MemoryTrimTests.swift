import Testing

@testable import APIGateway

@Suite("Memory is given back", .timeLimit(.minutes(1)))
struct MemoryTrimTests {
    private static let megabyte: UInt64 = 1 << 20

    /// The checks that decide to trim.
    private func looks(_ megabytes: [UInt64], after: UInt64 = 20) -> [Int] {
        var decision = MemoryTrimDecision()
        var decided: [Int] = []
        for (index, size) in megabytes.enumerated() where decision.look(residentBytes: size * Self.megabyte) {
            decided.append(index)
            decision.trimmed(residentBytes: after * Self.megabyte)
        }
        return decided
    }

    @Test func `after a burst, when it has not grown for two looks`() {
        #expect(self.looks([20, 80, 100, 100, 100]) == [4])
        #expect(self.looks([20, 80, 79, 81, 80, 80]) == [5])
    }

    @Test func `not while it grows, nor for little`() {
        #expect(self.looks([20, 40, 60, 80, 100, 120]) == [])
        #expect(self.looks([20, 35, 35, 35, 35, 35]) == [])
    }

    @Test func `once for a burst, however much of it is in use afterwards`() {
        #expect(self.looks([20, 100, 100, 100, 95, 95, 95, 95], after: 95) == [3])
    }

    @Test func `again when it has grown again, from the least that it had since`() {
        #expect(self.looks([20, 100, 100, 100, 60, 30, 30, 50, 50, 50], after: 60) == [3, 9])
    }
}
