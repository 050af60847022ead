import TestSupport
import Testing

@testable import EtcdEngine

@Suite("Leases", .timeLimit(.minutes(1)))
struct EtcdLeasesTests {
    private static func end(_ expiresAt: UInt64, now: UInt64) -> UInt64 {
        UInt64(EtcdLeases.number(of: expiresAt, now: now) & 0xFFFF_FFFF_FFFF)
    }

    @Test func `end after their keys, and by a share of the time later at most`() {
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<10_000 {
            let now = UInt64.random(in: 1_700_000_000_000...1_900_000_000_000, using: &generator)
            let left = UInt64.random(in: 0...(1 << UInt64.random(in: 0...40, using: &generator)), using: &generator)
            let end = Self.end(now + left, now: now)
            #expect(end * 1_000 > now + left, "\(now) \(left)")
            #expect(end * 1_000 <= now + left + 1_000 + max(1_000, min(left / 64, 64_000)), "\(now) \(left)")
        }
    }

    @Test func `of keys that expire soon are those of a second, and of later ones fewer`() {
        let now: UInt64 = 1_796_000_000_000
        #expect(Set((0..<1_000).map { Self.end(now + 10_000 + $0, now: now) }).count == 1)
        #expect(Set((0..<3_600).map { Self.end(now + 86_400_000 + 1_000 * $0, now: now) }).count <= 58)
    }

    @Test func `of a time that has passed still end after now`() {
        #expect(Self.end(1, now: 1_796_000_000_000) == 1_796_000_001)
    }
}
