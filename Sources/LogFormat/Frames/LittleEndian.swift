/// Integers in the log are little-endian and unaligned.
extension [UInt8] {
    public mutating func appendLittleEndian(_ value: some FixedWidthInteger & UnsignedInteger) {
        unsafe Swift.withUnsafeBytes(of: value.littleEndian) { unsafe self.append(contentsOf: $0) }
    }

    mutating func storeLittleEndian(_ value: some FixedWidthInteger & UnsignedInteger, at offset: Int) {
        precondition(offset >= 0 && offset + type(of: value).bitWidth / 8 <= self.count)
        unsafe Swift.withUnsafeBytes(of: value.littleEndian) { bytes in
            unsafe self.withUnsafeMutableBytes {
                unsafe UnsafeMutableRawBufferPointer(rebasing: $0[offset...]).copyMemory(from: bytes)
            }
        }
    }

    public func loadLittleEndian<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type, at offset: Int)
        -> Value
    {
        precondition(offset >= 0 && offset + Value.bitWidth / 8 <= self.count)
        return unsafe self.withUnsafeBytes {
            unsafe Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: type))
        }
    }
}
