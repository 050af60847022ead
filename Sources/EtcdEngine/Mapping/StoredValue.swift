import EtcdAPI
import FoundationEssentials
import KeyValueStore

/// A key of the store as etcd has it.
///
/// A value without an expiry time is stored as it is. One with an expiry time has a lease, and before its bytes 8 further
/// ones: the time in milliseconds since 1970, little-endian. The time decides whether it exists; the lease only removes it.
struct StoredValue: Sendable, Equatable {
    private static let headerBytes = 8

    /// Without what is before it.
    let value: Data
    let revision: UInt64
    /// Milliseconds since 1970; 0 for never.
    let expiresAt: UInt64

    init(_ stored: Mvccpb_KeyValue) {
        self.revision = UInt64(stored.modRevision)
        // With a lease and without a time, somebody else has put it.
        guard stored.lease != 0, stored.value.count >= Self.headerBytes else {
            self.value = stored.value
            self.expiresAt = 0
            return
        }
        self.expiresAt = stored.value.prefix(Self.headerBytes).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        self.value = stored.value.dropFirst(Self.headerBytes)
    }

    func exists(at now: UInt64) -> Bool { self.expiresAt == 0 || self.expiresAt > now }

    /// - Parameter expiresAt: milliseconds since 1970; 0 for never.
    static func encoded(_ value: [UInt8], expiresAt: UInt64) -> Data {
        if expiresAt == 0 { return Data(value) }
        var data = Data(capacity: Self.headerBytes + value.count)
        for place in 0..<Self.headerBytes { data.append(UInt8(truncatingIfNeeded: expiresAt >> (8 * place))) }
        data.append(contentsOf: value)
        return data
    }
}
