/// Appends JSON text to a byte array: the only JSON writer of the project, for log lines, answers and documents.
///
/// Members and elements appear in the order of the calls, the writer inserts commas, and every string is escaped as
/// documented at ``appendText(_:)``. The writer does not check that names within one object are unique, nor that a
/// member is written inside an object: `object` and `array` closures make that visible in the code.
///
/// A value type for one thread at a time; only the growth of ``bytes`` allocates.
public struct JSONWriter {
    /// The text so far.
    public var bytes: [UInt8]
    /// Whether the next value needs a comma before it, because another value precedes it in the same object or array.
    private var needsComma = false

    /// - Parameter reservingBytes: initial capacity; a good guess avoids growth of the array.
    public init(reservingBytes: Int = 256) {
        self.bytes = []
        self.bytes.reserveCapacity(reservingBytes)
    }

    /// Begins anew, with the same memory unless it has become larger than this.
    public mutating func removeAll(keepingAtMost capacity: Int) {
        self.bytes.removeAll(keepingCapacity: self.bytes.capacity <= capacity)
        self.needsComma = false
    }

    // MARK: Top-level values

    /// A whole object as document or line.
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        self.beginElement()
        self.appendObject(body)
    }

    /// A whole array as the document.
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        self.beginElement()
        self.appendArray(body)
    }

    /// Ends a line. The next object is a separate document.
    public mutating func newline() {
        self.bytes.append(UInt8(ascii: "\n"))
        self.needsComma = false
    }

    // MARK: Members with a name known at compile time

    public mutating func member<Value: JSONValue>(_ name: StaticString, _ value: Value) {
        self.beginMember(name)
        value.appendJSON(to: &self)
    }

    /// A string whose bytes must be valid UTF-8; otherwise the document would be invalid.
    public mutating func memberUTF8(_ name: StaticString, _ text: [UInt8]) {
        self.beginMember(name)
        self.appendText(text.span)
    }

    /// A string whose bytes must be valid UTF-8; otherwise the document would be invalid.
    public mutating func memberUTF8(_ name: StaticString, _ text: Span<UInt8>) {
        self.beginMember(name)
        self.appendText(text)
    }

    /// Bytes of any kind: a string if they are UTF-8, else in Base64 under the other name.
    public mutating func member(_ name: StaticString, orBase64 base64Name: StaticString, _ bytes: [UInt8]) {
        if String(validating: bytes, as: UTF8.self) != nil {
            self.memberUTF8(name, bytes)
        } else {
            self.member(base64Name, Base64.encode(bytes))
        }
    }

    public mutating func member(_ name: StaticString, object body: (inout JSONWriter) -> Void) {
        self.beginMember(name)
        self.appendObject(body)
    }

    public mutating func member(_ name: StaticString, array body: (inout JSONWriter) -> Void) {
        self.beginMember(name)
        self.appendArray(body)
    }

    /// Members of the object that are JSON already: `"name":value`, with commas between them.
    public mutating func append(members: [UInt8]) {
        self.beginElement()
        self.bytes.append(contentsOf: members)
    }

    public mutating func memberNull(_ name: StaticString) {
        self.beginMember(name)
        self.append("null")
    }

    /// A duration as a number of milliseconds with three decimals: `0.137`, `1250.000`.
    mutating func memberMilliseconds(_ name: StaticString, nanoseconds: UInt64) {
        self.beginMember(name)
        self.appendThousandths((nanoseconds &+ 500) / 1_000)
    }

    /// An instant as RFC 3339 text in UTC with milliseconds: `2026-11-22T21:58:14.123Z`.
    public mutating func memberTimestamp(_ name: StaticString, nanosecondsSince1970: UInt64) {
        self.beginMember(name)
        self.bytes.append(UInt8(ascii: "\""))
        Timestamp.append(nanosecondsSince1970: nanosecondsSince1970, to: &self.bytes)
        self.bytes.append(UInt8(ascii: "\""))
    }

    // MARK: Members with a name known at run time

    public mutating func member<Value: JSONValue>(name: String, _ value: Value) {
        self.beginMember(name)
        value.appendJSON(to: &self)
    }

    public mutating func member(name: String, object body: (inout JSONWriter) -> Void) {
        self.beginMember(name)
        self.appendObject(body)
    }

    public mutating func member(name: String, array body: (inout JSONWriter) -> Void) {
        self.beginMember(name)
        self.appendArray(body)
    }

    public mutating func memberNull(name: String) {
        self.beginMember(name)
        self.append("null")
    }

    // MARK: Elements of an array

    public mutating func element<Value: JSONValue>(_ value: Value) {
        self.beginElement()
        value.appendJSON(to: &self)
    }

    /// A string whose bytes must be valid UTF-8; otherwise the document would be invalid.
    mutating func elementUTF8(_ text: [UInt8]) {
        self.beginElement()
        self.appendText(text.span)
    }

    public mutating func element(object body: (inout JSONWriter) -> Void) {
        self.beginElement()
        self.appendObject(body)
    }

    public mutating func element(array body: (inout JSONWriter) -> Void) {
        self.beginElement()
        self.appendArray(body)
    }

    mutating func elementNull() {
        self.beginElement()
        self.append("null")
    }

    // MARK: Structure

    /// A comma if necessary, the name and the colon. Names are constants of the source and need no escapes.
    public mutating func beginMember(_ name: StaticString) {
        self.beginElement()
        self.bytes.append(UInt8(ascii: "\""))
        self.append(name)
        self.bytes.append(UInt8(ascii: "\""))
        self.bytes.append(UInt8(ascii: ":"))
    }

    public mutating func beginMember(_ name: String) {
        self.beginElement()
        self.appendText(name.utf8.span)
        self.bytes.append(UInt8(ascii: ":"))
    }

    public mutating func beginElement() {
        if self.needsComma {
            self.bytes.append(UInt8(ascii: ","))
        }
        self.needsComma = true
    }

    public mutating func appendObject(_ body: (inout JSONWriter) -> Void) {
        self.bytes.append(UInt8(ascii: "{"))
        self.needsComma = false
        body(&self)
        self.bytes.append(UInt8(ascii: "}"))
        self.needsComma = true
    }

    public mutating func appendArray(_ body: (inout JSONWriter) -> Void) {
        self.bytes.append(UInt8(ascii: "["))
        self.needsComma = false
        body(&self)
        self.bytes.append(UInt8(ascii: "]"))
        self.needsComma = true
    }
}
