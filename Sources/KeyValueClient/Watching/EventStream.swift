/// Takes the bytes of a `text/event-stream` apart, as the WHATWG standard describes it, however they are cut into pieces.
struct EventStream {
    enum Item: Equatable {
        case event(id: String?, name: String, data: [UInt8])
        /// The text behind the colon.
        case comment(String)
        /// Milliseconds to wait before a reconnection.
        case retry(UInt64)
    }

    /// The largest line: an event of a whole transaction, with previous values, each byte escaped.
    private static let lineLimitBytes = 128 << 20

    private var line: [UInt8] = []
    /// Whether the byte before was a carriage return: a newline behind it ends no second line.
    private var endedWithReturn = false
    private var id: String?
    private var name: String?
    private var data: [UInt8]?

    struct TooLong: Error {}

    /// The items that are complete with these bytes.
    mutating func receive(_ bytes: some Sequence<UInt8>) throws(TooLong) -> [Item] {
        var items: [Item] = []
        for byte in bytes {
            let continuesReturn = self.endedWithReturn && byte == UInt8(ascii: "\n")
            self.endedWithReturn = byte == UInt8(ascii: "\r")
            if continuesReturn { continue }
            guard byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") else {
                if self.line.count >= Self.lineLimitBytes { throw TooLong() }
                self.line.append(byte)
                continue
            }
            if let item = self.lineEnded() { items.append(item) }
            self.line.removeAll(keepingCapacity: self.line.count < 65_536)
        }
        return items
    }

    private mutating func lineEnded() -> Item? {
        if self.line.isEmpty { return self.dispatch() }
        let colon = self.line.firstIndex(of: UInt8(ascii: ":"))
        var value = self.line[((colon ?? self.line.endIndex - 1) + 1)...]
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        switch String(decoding: self.line[..<(colon ?? self.line.endIndex)], as: UTF8.self) {
        case "": return .comment(String(decoding: value, as: UTF8.self))
        case "id": self.id = String(decoding: value, as: UTF8.self)
        case "event": self.name = String(decoding: value, as: UTF8.self)
        case "data": self.data = (self.data.map { $0 + [UInt8(ascii: "\n")] } ?? []) + value
        case "retry": return UInt64(String(decoding: value, as: UTF8.self)).map { .retry($0) }
        default: break
        }
        return nil
    }

    /// An empty line: the event is complete, if it has data.
    private mutating func dispatch() -> Item? {
        defer { (self.id, self.name, self.data) = (nil, nil, nil) }
        return self.data.map { .event(id: self.id, name: self.name ?? "message", data: $0) }
    }
}
