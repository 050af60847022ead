import Synchronization

/// Requests that wait to go to etcd together. Any thread adds; tasks take what waits.
final class WaitingQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        /// How much of them has been taken.
        var start = 0
        var bytes = 0
        var isClosed = false
        var takers: [CheckedContinuation<Void, Never>] = []

        var count: Int { self.elements.count - self.start }
    }

    enum Refusal: Error, Equatable {
        case full, closed
    }

    private let state = Mutex(State())
    private let limitBytes: Int

    /// - Parameter limitBytes: of what waits, beyond which nothing is added.
    init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// - Parameter bytes: their size, as an estimate.
    func add(_ elements: [Element], bytes: Int) throws(Refusal) {
        let taker = try self.state.withLock { state throws(Refusal) in
            if state.isClosed { throw .closed }
            if state.count > 0, state.bytes + bytes > self.limitBytes { throw .full }
            state.elements.append(contentsOf: elements)
            state.bytes += bytes
            return state.takers.popLast()
        }
        taker?.resume()
    }

    /// Takes what waits, as soon as something does.
    /// - Parameter take: gets what waits, and returns how many elements from the front it takes, at least one, and their size.
    /// - Returns: nil once the queue is closed and empty.
    func next(_ take: (ArraySlice<Element>) -> (count: Int, bytes: Int)) async -> [Element]? {
        while true {
            let taken: [Element]?? = self.state.withLock { state in
                guard state.count > 0 else { return state.isClosed ? .some(nil) : nil }
                let (count, bytes) = take(state.elements[state.start...])
                let taken = Array(state.elements[state.start..<state.start + count])
                state.start += count
                state.bytes -= bytes
                if state.start == state.elements.count {
                    state.elements.removeAll(keepingCapacity: true)
                    state.start = 0
                } else if state.start > 1_024, state.start > state.elements.count / 2 {
                    state.elements.removeFirst(state.start)
                    state.start = 0
                }
                return taken
            }
            if let taken { return taken }
            await withCheckedContinuation { continuation in
                let isReady = self.state.withLock { state in
                    if state.count > 0 || state.isClosed { return true }
                    state.takers.append(continuation)
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    /// What waits is still taken; nothing is added.
    func close() {
        let takers = self.state.withLock { state in
            state.isClosed = true
            defer { state.takers = [] }
            return state.takers
        }
        for taker in takers { taker.resume() }
    }
}
