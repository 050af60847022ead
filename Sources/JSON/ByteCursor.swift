import Glibc

/// Writes pieces one after the other into memory that its owner has reserved: for heads and lines that consist of many
/// short pieces. A piece costs one check against the end of the memory, and one copy.
///
/// Valid only as long as the memory that it was made for. A piece that does not fit ends the process: the owner has
/// computed the space.
@safe public struct ByteCursor {
    private let base: UnsafeMutableRawPointer?
    private let capacity: Int
    /// Bytes written so far.
    public var count: Int { self.used }
    private var used = 0

    public init(_ memory: UnsafeMutableRawBufferPointer) {
        unsafe self.base = memory.baseAddress
        self.capacity = memory.count
    }

    /// The next `count` bytes, which the caller writes.
    @inline(__always) mutating func take(_ count: Int) -> UnsafeMutableRawPointer {
        guard let base = unsafe self.base, count >= 0, count <= self.capacity &- self.used else {
            preconditionFailure("more is written than was reserved")
        }
        defer { self.used &+= count }
        return unsafe base + self.used
    }

    @inline(__always) public mutating func append(_ byte: UInt8) {
        unsafe self.take(1).storeBytes(of: byte, as: UInt8.self)
    }

    @inline(__always) public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, unsafe !bytes.isEmpty else { return }
        unsafe memcpy(self.take(bytes.count), source, bytes.count)
    }

    public mutating func append(_ bytes: Span<UInt8>) {
        // The pointer is used only for this copy.
        unsafe bytes.withUnsafeBytes { unsafe self.append($0) }
    }

    /// Inlined, so that the length is known where it is called: then the copy is a few stores.
    @inline(__always) public mutating func append(_ text: StaticString) {
        // A constant of the program: its pointer is always valid.
        unsafe self.append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    public mutating func append(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe self.append($0) }
    }

    public mutating func append(text: String) {
        var text = text
        text.withUTF8 { unsafe self.append(UnsafeRawBufferPointer($0)) }
    }

    /// The digits of a number, without leading zeros.
    public mutating func append(decimal value: UInt64) {
        var digits = 1
        var bound: UInt64 = 10
        while digits < 20, value >= bound {
            digits &+= 1
            bound = digits < 20 ? bound &* 10 : bound
        }
        self.append(value, digits: digits)
    }

    /// The last `digits` digits of a number, with leading zeros.
    public mutating func append(_ value: UInt64, digits: Int) {
        let target = unsafe self.take(digits)
        var rest = value
        var index = digits
        while index > 1 {
            index &-= 2
            unsafe target.storeBytes(of: Self.pair(rest % 100), toByteOffset: index, as: UInt16.self)
            rest /= 100
        }
        if index == 1 {
            unsafe target.storeBytes(of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10), as: UInt8.self)
        }
    }

    /// The two digits of a number below 100, in the order of memory.
    @inline(__always) private static func pair(_ value: UInt64) -> UInt16 {
        let tens = (value &* 205) >> 11
        let digits = UInt16(truncatingIfNeeded: tens | (value &- tens &* 10) << 8)
        return (digits | 0x3030).littleEndian
    }

    /// The 16 hexadecimal digits of a number.
    public mutating func append(hexadecimal value: UInt64) {
        let target = unsafe self.take(16)
        let high = HexDigits.eightDigits(UInt32(truncatingIfNeeded: value >> 32)).bigEndian
        let low = HexDigits.eightDigits(UInt32(truncatingIfNeeded: value)).bigEndian
        unsafe target.storeBytes(of: high, as: UInt64.self)
        unsafe target.storeBytes(of: low, toByteOffset: 8, as: UInt64.self)
    }
}

extension [UInt8] {
    /// Appends what `body` writes.
    ///
    /// - Parameter count: at most so many bytes.
    public mutating func append(atMost count: Int, _ body: (inout ByteCursor) -> Void) {
        self.append(addingCapacity: count) { output in
            unsafe output.withUnsafeMutableBufferPointer { memory, written in
                var cursor = unsafe ByteCursor(UnsafeMutableRawBufferPointer(memory))
                body(&cursor)
                written = cursor.count
            }
        }
    }
}
