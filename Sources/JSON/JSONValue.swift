/// Types that can be the value of a member or an element: strings, numbers, Booleans, bytes as text, and optionals of
/// these.
public protocol JSONValue {
    /// Appends the value as JSON text, without a comma.
    func appendJSON(to writer: inout JSONWriter)
}

extension String: JSONValue {
    public func appendJSON(to writer: inout JSONWriter) {
        writer.appendText(self.utf8.span)
    }
}

extension Bool: JSONValue {
    public func appendJSON(to writer: inout JSONWriter) {
        writer.append(self ? "true" : "false")
    }
}

extension Int: JSONValue {
    public func appendJSON(to writer: inout JSONWriter) {
        writer.append(integer: Int64(self))
    }
}

extension Int32: JSONValue {
    public func appendJSON(to writer: inout JSONWriter) {
        writer.append(integer: Int64(self))
    }
}

extension Int64: JSONValue {
    public func appendJSON(to writer: inout JSONWriter) {
        writer.append(integer: self)
    }
}

extension UInt: JSONValue {
    public func appendJSON(to writer: inout JSONWriter) {
        writer.append(integer: UInt64(self))
    }
}

extension UInt32: JSONValue {
    public func appendJSON(to writer: inout JSONWriter) {
        writer.append(integer: UInt64(self))
    }
}

extension UInt64: JSONValue {
    public func appendJSON(to writer: inout JSONWriter) {
        writer.append(integer: self)
    }
}

extension Double: JSONValue {
    /// The shortest text that parses to the same number; `null` for NaN and the infinities.
    public func appendJSON(to writer: inout JSONWriter) {
        writer.append(number: self)
    }
}

/// Bytes as text: invalid UTF-8 becomes U+FFFD, so this is only for people, never for data that is parsed again.
extension [UInt8]: JSONValue {
    public func appendJSON(to writer: inout JSONWriter) {
        writer.appendText(String(decoding: self, as: UTF8.self).utf8.span)
    }
}

/// Nil is `null`.
extension Optional: JSONValue where Wrapped: JSONValue {
    public func appendJSON(to writer: inout JSONWriter) {
        switch self {
        case .some(let value): value.appendJSON(to: &writer)
        case .none: writer.append("null")
        }
    }
}
