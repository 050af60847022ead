/// The fields of one message in the encoding of Protocol Buffers.
struct ProtobufWriter {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    /// Appends a message after its length.
    static func appendDelimited(_ message: ProtobufWriter, to bytes: inout [UInt8]) {
        self.appendVarint(UInt64(message.bytes.count), to: &bytes)
        bytes += message.bytes
    }

    mutating func add(_ field: Int, _ value: UInt64) {
        self.addTag(field, wireType: 0)
        Self.appendVarint(value, to: &self.bytes)
    }

    /// Like `sint32` and `sint64`: small numbers of both signs are short.
    mutating func addSigned(_ field: Int, _ value: Int64) {
        self.add(field, Self.zigzag(value))
    }

    mutating func add(_ field: Int, _ value: Double) {
        self.addTag(field, wireType: 1)
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            self.bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
        }
    }

    /// A string, bytes, or packed numbers.
    mutating func add(_ field: Int, _ value: [UInt8]) {
        self.addTag(field, wireType: 2)
        Self.appendVarint(UInt64(value.count), to: &self.bytes)
        self.bytes += value
    }

    mutating func add(_ field: Int, _ message: ProtobufWriter) {
        self.add(field, message.bytes)
    }

    mutating func addPackedSigned(_ field: Int, _ values: [Int64]) {
        var packed: [UInt8] = []
        for value in values { Self.appendVarint(Self.zigzag(value), to: &packed) }
        self.add(field, packed)
    }

    private mutating func addTag(_ field: Int, wireType: UInt64) {
        Self.appendVarint(UInt64(field) << 3 | wireType, to: &self.bytes)
    }

    private static func zigzag(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: value << 1 ^ value >> 63)
    }

    private static func appendVarint(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
