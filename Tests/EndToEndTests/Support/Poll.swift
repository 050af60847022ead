import Glibc

struct TimeoutError: Error, CustomStringConvertible {
    let description: String
}

/// Waiting for a condition in another process.
enum Poll {
    /// Looks every few milliseconds until `look` has a result.
    ///
    /// - Throws: ``TimeoutError`` with `what` after `seconds`, or what `look` throws.
    static func until<Result>(_ what: String, seconds: Double = 30, look: () throws -> Result?) throws -> Result {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            if let result = try look() { return result }
            guard ContinuousClock.now < deadline else {
                throw TimeoutError(description: "not within \(seconds) s: \(what)")
            }
            usleep(3_000)
        }
    }
}
