package import HTTP1
package import HTTPServing
import NIOHTTP1

/// The key in the query of a request: `?key=…`, percent-decoded once, to bytes.
package enum KeyParameter {
    private static let parameters: [StaticString] = ["key"]

    /// The key of `request`, within `limits`.
    ///
    /// `key` is the only query parameter allowed.
    /// - Parameter applied: The member `applied` of the problem: `.no` for requests that write, nil for reads.
    /// - Throws: 400 `key_missing`, `key_empty`, `key_too_large`, or an error of ``QueryParameters``.
    package static func key(
        of request: HTTPRequest,
        limits: KeyValueLimits,
        applied: Problem.Applied?
    ) throws(Problem) -> [UInt8] {
        let key = try Self.decoded(request, applied: applied)
        try limits.check(key: key, applied: applied)
        return key
    }

    /// The key of a request for a key that may already be stored: as ``key(of:limits:applied:)``, but a key above
    /// `limits` is accepted if a store can contain it. It is too large only if there is no such key.
    package static func storedKey(
        of request: HTTPRequest,
        limits: KeyValueLimits,
        applied: Problem.Applied?
    ) throws(Problem) -> [UInt8] {
        let key = try Self.decoded(request, applied: applied)
        if key.isEmpty || key.count > KeyValueLimits.longestStoredKeyBytes {
            try limits.check(key: key, applied: applied)
        }
        return key
    }

    private static func decoded(_ request: HTTPRequest, applied: Problem.Applied?) throws(Problem) -> [UInt8] {
        let parameters: QueryParameters
        do throws(Problem) {
            parameters = try QueryParameters(request.query, allowed: Self.parameters)
        } catch {
            throw error.stating(applied: applied)
        }
        guard let key = parameters.bytes("key") else {
            throw Problem(
                .badRequest,
                code: "key_missing",
                detail: "The request has no key; add ?key=… with the key percent-encoded.",
                applied: applied
            )
        }
        return key
    }
}

extension Problem {
    /// The same problem with the member `applied`.
    func stating(applied: Applied?) -> Problem {
        var problem = self
        problem.applied = applied
        return problem
    }
}
