import Glibc

/// A condition that did not hold in time.
package struct TimeoutError: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

/// Waiting for a condition that another thread or process brings about, where there is nothing to be woken by.
package enum Poll {
    /// Checks every 3 ms until `look` has a result. Blocks the thread.
    ///
    /// - Throws: ``TimeoutError`` with `what` after `seconds`, or what `look` throws.
    package static func until<Result>(
        _ what: String, seconds: Double = 30, file: StaticString = #fileID, line: UInt = #line,
        look: () throws -> Result?
    ) throws -> Result {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            if let result = try look() { return result }
            guard ContinuousClock.now < deadline else {
                throw TimeoutError(description: "not within \(seconds) s: \(what) (\(file):\(line))")
            }
            usleep(3_000)
        }
    }

    /// Checks every 0.2 ms until the condition holds. Blocks the thread.
    ///
    /// - Returns: false if it does not hold within `seconds`.
    package static func holds(seconds: Double = 30, _ condition: () throws -> Bool) rethrows -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !condition() {
            guard ContinuousClock.now < deadline else { return false }
            usleep(200)
        }
        return true
    }

    /// Checks every millisecond until the condition holds, and lets other tasks run.
    ///
    /// - Throws: ``TimeoutError`` if it does not hold within `seconds`.
    package static func eventually(
        _ what: String = "a condition that never held", seconds: Double = 10,
        file: StaticString = #fileID, line: UInt = #line,
        isolation: isolated (any Actor)? = #isolation, _ condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try await !condition() {
            guard ContinuousClock.now < deadline else {
                throw TimeoutError(description: "not within \(seconds) s: \(what) (\(file):\(line))")
            }
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}
