import FoundationEssentials
import KeyValueStore

/// Where a store has its keys in etcd: everything begins with one prefix, so that several stores and other things can be in
/// one cluster.
public struct EtcdKeyspace: Sendable, Equatable {
    /// What all keys of the store in etcd begin with.
    public let prefix: String
    private let data: Data
    private let receipts: Data
    /// The key whose value is the identity of the store.
    let store: Data
    /// A key that is put to learn how far the watch is.
    let marker: Data

    /// - Parameter prefix: not empty; a `/` is added if it does not end with one.
    public init(prefix: String) {
        let prefix = prefix.hasSuffix("/") ? prefix : prefix + "/"
        self.prefix = prefix
        self.data = Data("\(prefix)data/".utf8)
        self.receipts = Data("\(prefix)receipts/".utf8)
        self.store = Data("\(prefix)store".utf8)
        self.marker = Data("\(prefix)marker".utf8)
    }

    func key(of key: some Sequence<UInt8>) -> Data { self.data + key }

    func receipt(of key: IdempotencyKey) -> Data { self.receipts + key.bytes }

    /// The keys of the store in a range, and the first key behind them.
    func bounds(of range: KeyRange) -> (start: Data, end: Data) {
        (self.data + range.start, range.end.map { self.data + $0 } ?? Self.end(of: self.data))
    }

    /// All of it.
    var everything: (start: Data, end: Data) {
        let start = Data(self.prefix.utf8)
        return (start, Self.end(of: start))
    }

    /// - Returns: the store's key that has this one in etcd; nil if it is something else.
    func key(in key: Data) -> Data? {
        key.starts(with: self.data) ? key.dropFirst(self.data.count) : nil
    }

    /// The first key behind all that begin with a prefix, which ends with `/`.
    private static func end(of prefix: Data) -> Data { prefix.dropLast() + [UInt8(ascii: "/") + 1] }
}
