/// Keys that follow each other in bytewise order.
public struct KeyRange: Sendable, Equatable {
    /// The first key, if it is there.
    public var start: [UInt8]
    /// The first key that is not in the range any more; nil for none.
    public var end: [UInt8]?

    public init(start: [UInt8] = [], end: [UInt8]? = nil) {
        self.start = start
        self.end = end
    }

    /// Calls `body` with both, which are valid only during the call.
    func withBounds(_ body: (_ start: UnsafeRawBufferPointer, _ end: UnsafeRawBufferPointer?) -> Void) {
        unsafe self.start.withUnsafeBytes { start in
            guard let end = self.end else { return unsafe body(start, nil) }
            unsafe end.withUnsafeBytes { end in unsafe body(start, end) }
        }
    }
}
