import Testing

@testable import ServiceKit

@Suite("Connections that a listener takes", .timeLimit(.minutes(1)))
struct ConnectionLimitTests {
    private static func limit(_ wanted: Int, openFiles: UInt64, strangers: Int = 0, listeners: Int = 1)
        -> ConnectionLimit
    {
        .init(
            wanted: wanted, openFiles: openFiles, strangers: strangers, own: .init(least: 30, most: 50),
            listeners: listeners)
    }

    @Test func `as many as are wanted where there are files enough, or nobody says how many`() {
        for openFiles in [0, 10_000 + 64 + 52, 1 << 20, .max] as [UInt64] {
            let limit = Self.limit(10_000, openFiles: openFiles)
            #expect(limit.connections == 10_000 && limit.rejectedConnections == 64 && !limit.isLowered)
            #expect(!limit.isTooLow && limit.ownFiles >= 50)
        }
    }

    @Test func `one file too few lowers them`() {
        let limit = Self.limit(10_000, openFiles: 10_000 + 64 + 51)
        #expect(limit.connections == 9_999 && limit.isLowered)
    }

    @Test func `they and those that are refused leave the service what it needs, from the least that starts`() {
        for listeners in 1...2 {
            for strangers in [0, 7] {
                let needed = Self.limit(10_000, openFiles: 1, strangers: strangers, listeners: listeners).neededFiles
                #expect(needed == 30 + strangers + 7 * listeners)
                for openFiles in needed...3_000 {
                    let limit = Self.limit(
                        10_000, openFiles: UInt64(openFiles), strangers: strangers, listeners: listeners)
                    #expect(!limit.isTooLow && limit.connections >= 4 && limit.rejectedConnections >= 1)
                    #expect(limit.isLowered)
                    let clients = listeners * (limit.connections + limit.rejectedConnections)
                    let left = openFiles - strangers - 2 * listeners - clients
                    #expect(limit.ownFiles == left)
                    #expect(left >= min(50, max(30, (openFiles - strangers - 2 * listeners) / 2)), "\(openFiles)")
                }
            }
        }
    }

    @Test func `fewer files than a service needs are too few`() {
        for openFiles in 1..<37 as Range<UInt64> { #expect(Self.limit(10_000, openFiles: openFiles).isTooLow) }
        #expect(!Self.limit(10_000, openFiles: 37).isTooLow)
        #expect(Self.limit(10_000, openFiles: 37, strangers: 1).isTooLow)
        // One connection needs less, with the one that is told so.
        #expect(!Self.limit(1, openFiles: 34).isTooLow && Self.limit(1, openFiles: 33).isTooLow)
        #expect(Self.limit(1, openFiles: 34).connections == 1)
    }
}
