/// Integers in the log are little-endian and unaligned.
extension [UInt8] {
    mutating func appendLittleEndian(_ value: some FixedWidthInteger & UnsignedInteger) {
        var rest = value
        for _ in 0..<(type(of: value).bitWidth / 8) {
            self.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    mutating func storeLittleEndian(_ value: some FixedWidthInteger & UnsignedInteger, at offset: Int) {
        for index in 0..<(type(of: value).bitWidth / 8) {
            self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
        }
    }

    package func loadLittleEndian<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type, at offset: Int)
        -> Value
    {
        precondition(offset >= 0 && offset + Value.bitWidth / 8 <= self.count)
        return unsafe self.withUnsafeBytes {
            unsafe Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: type))
        }
    }
}
