import Testing

@testable import ServiceKit

@Suite("Connections that a listener takes")
struct ConnectionLimitTests {
    private static func limit(_ wanted: Int, openFiles: UInt64, ownFiles: Int = 50, listeners: Int = 1)
        -> ConnectionLimit
    {
        .init(wanted: wanted, openFiles: openFiles, ownFiles: ownFiles, listeners: listeners)
    }

    @Test func `as many as are wanted where there are files enough, or nobody says how many`() {
        for openFiles in [0, 10_000 + 64 + 50, 1 << 20, .max] as [UInt64] {
            let limit = Self.limit(10_000, openFiles: openFiles)
            #expect(limit.connections == 10_000 && limit.rejectedConnections == 64 && !limit.isLowered)
        }
    }

    @Test func `one file too few lowers them`() {
        let limit = Self.limit(10_000, openFiles: 10_000 + 64 + 49)
        #expect(limit.connections == 9_999 && limit.isLowered)
    }

    @Test func `they and those that are refused leave the service its files, or half of all`() {
        for openFiles in 32...3_000 as ClosedRange<UInt64> {
            for listeners in 1...2 {
                let limit = Self.limit(10_000, openFiles: openFiles, listeners: listeners)
                #expect(limit.connections >= 4 && limit.rejectedConnections >= 1 && limit.isLowered)
                let left = Int(openFiles) - listeners * (limit.connections + limit.rejectedConnections)
                #expect(left >= min(50, Int(openFiles) / 2), "\(openFiles) \(listeners)")
            }
        }
    }
}
