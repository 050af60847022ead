import Glibc
import NIOCore

/// The header fields of one request, as received bytes.
///
/// A field is parsed only when it is used: most requests have fields that are never read. A value of this type keeps
/// the buffer alive into which the connection read the head.
public struct HeaderFields {
    /// Complete lines, each `name ":" value CR LF`; ``HeadScanner`` has checked that no CR or LF is alone.
    private var lines: ByteBuffer

    public init() {
        self.lines = ByteBuffer()
    }

    /// - Precondition: the head's bytes are there.
    public init(of head: RequestHead) {
        let lines = head.fieldLines
        guard let lines = head.bytes.getSlice(at: head.bytes.readerIndex + lines.lowerBound, length: lines.count) else {
            preconditionFailure("a head is longer than its bytes")
        }
        self.lines = lines
    }

    /// Fields from literals, for tests of actions.
    public init(_ fields: [(name: String, value: String)]) {
        self.lines = ByteBuffer(string: fields.map { "\($0.name): \($0.value)\r\n" }.joined())
    }

    /// Whether there is a field with this name. All names are given in lowercase, and the comparison ignores case.
    public func contains(_ name: StaticString) -> Bool {
        var found = false
        self.forEach { field, _ in found = found || ASCII.equal(field, name) }
        return found
    }

    /// The value of the first field of this name.
    public func first(_ name: StaticString) -> String? { self.values(of: name).first }

    /// The values of all fields of this name, in order.
    public func values(of name: StaticString) -> [String] {
        var values: [String] = []
        self.forEach { field, value in
            if ASCII.equal(field, name) { values.append(ASCII.string(value)) }
        }
        return values
    }

    /// Whether there is exactly one field with this name and it has this value, ignoring case.
    public func isOnly(_ name: StaticString, _ value: StaticString) -> Bool {
        var count = 0
        var isEqual = false
        self.forEach { field, other in
            guard ASCII.equal(field, name) else { return }
            count += 1
            isEqual = ASCII.equal(other, value)
        }
        return count == 1 && isEqual
    }

    /// The elements of all fields with this name, split at commas, in order.
    public func elements(of name: StaticString) -> [String] {
        var elements: [String] = []
        self.forEach { field, value in
            guard ASCII.equal(field, name) else { return }
            ASCII.forEachElement(of: value) { elements.append(ASCII.string($0)) }
        }
        return elements
    }

    /// Calls `body` for every field, in order, with its name and its value without surrounding white space. A line
    /// without a colon has an empty name, and the whole line as value.
    public func forEach<Failure>(
        _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        let lines = self.lines
        let bytes = lines.readableBytesUInt8Span
        var begin = 0
        while begin < bytes.count {
            let end = Self.position(of: UInt8(ascii: "\r"), in: bytes, from: begin) ?? bytes.count
            let line = bytes.extracting(begin..<end)
            let colon = Self.position(of: UInt8(ascii: ":"), in: line, from: 0)
            let rest = line.extracting((colon.map { $0 + 1 } ?? 0)..<line.count)
            try body(line.extracting(0..<(colon ?? 0)), rest.extracting(ASCII.trimmed(rest)))
            begin = end + 2
        }
    }

    private static func position(of byte: UInt8, in bytes: Span<UInt8>, from begin: Int) -> Int? {
        // The pointer is used only for this search, within the span's bounds.
        unsafe bytes.withUnsafeBufferPointer { bytes in
            guard begin < bytes.count, let base = bytes.baseAddress,
                let found = unsafe memchr(base + begin, Int32(byte), bytes.count - begin)
            else { return nil }
            return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }
}
