/// How the files that the gateway has for connections to its upstreams are divided among their pools. Each event loop has
/// a pool for each upstream; those that exist keep what they have.
struct ConnectionBudget {
    /// For all pools of one event loop.
    let connections: Int
    /// Of one pool.
    let most: Int

    /// - Parameters:
    ///   - kept: the connections of each pool that stays.
    ///   - count: of new pools.
    /// - Returns: the connections of each new pool; nil if there are not even ``UpstreamLimits/leastConnections`` for each.
    func share(besides kept: [Int], of count: Int) -> Int? {
        let left = max(0, self.connections - kept.reduce(0, +))
        let share = min(self.most, left / max(count, 1))
        return share >= UpstreamLimits.leastConnections || count == 0 ? share : nil
    }
}
