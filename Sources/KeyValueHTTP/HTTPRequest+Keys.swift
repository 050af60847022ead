import AccessControl
import HTTP1
import HTTPServing

/// Whether the access key of a request permits the keys that it names, if the service has access keys.
extension HTTPRequest {
    /// - Parameter applied: of the problem: `.no` for requests that write, nil for reads.
    /// - Throws: 403 `forbidden`.
    func checkAccess(to key: UnsafeRawBufferPointer, applied: Problem.Applied?) throws(Problem) {
        guard let entry = self.accessEntry, unsafe !entry.permits(key) else { return }
        throw self.deny(
            .prefix, "The access key of \(entry.name) permits no such key: see its prefixes.", applied: applied)
    }

    func checkAccess(to key: [UInt8], applied: Problem.Applied?) throws(Problem) {
        // The pointer is used only for this call.
        try unsafe key.span.withUnsafeBytes { (key) throws(Problem) in
            try unsafe self.checkAccess(to: key, applied: applied)
        }
    }

    /// For all keys from `start` on and before `end`, if there is an end: they must lie within one prefix.
    func checkAccess(from start: [UInt8], to end: [UInt8]?) throws(Problem) {
        guard let entry = self.accessEntry, entry.isLimited else { return }
        let isPermitted = entry.prefixes.contains { prefix in
            guard start.starts(with: prefix) else { return false }
            guard let limit = KeysRequest.end(ofPrefix: prefix) else { return true }
            return end.map { !limit.lexicographicallyPrecedes($0) } ?? false
        }
        if !isPermitted {
            throw self.deny(
                .prefix,
                "The access key of \(entry.name) permits only ranges and prefixes within one of its prefixes.")
        }
    }
}
