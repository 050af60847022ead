@testable import APIGateway

final class PoolConnection {}
final class PoolRequest {}
typealias PoolMachine = UpstreamPoolStateMachine<PoolConnection, PoolRequest>

extension PoolMachine.Limits {
    static func small(connections: Int = 2, waiting: Int = 3, idle: UInt64 = 100) -> Self {
        var limits = Self()
        limits.maxConnections = connections
        limits.maxWaiting = waiting
        limits.idleNanoseconds = idle
        return limits
    }
}

extension UpstreamPoolStateMachine {
    /// At the time 0, with a deadline that never passes.
    mutating func submit(_ request: Request, isWrite: Bool = false, goesFirst: Bool = false) -> SubmitAction {
        self.submit(request, isWrite: isWrite, goesFirst: goesFirst, now: 0)
    }
}
