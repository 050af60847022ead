/// What can be a key or a value: bytes of any kind, or a text, which stands for its UTF-8.
public protocol StoreBytes: Sendable {
    var storeBytes: [UInt8] { get }
}

extension Array: StoreBytes where Element == UInt8 {
    public var storeBytes: [UInt8] { self }
}

extension String: StoreBytes {
    public var storeBytes: [UInt8] { Array(self.utf8) }
}

extension Substring: StoreBytes {
    public var storeBytes: [UInt8] { Array(self.utf8) }
}
