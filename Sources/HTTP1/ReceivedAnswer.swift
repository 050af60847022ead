/// An HTTP/1.1 answer while it arrives, with the parts that a caller of ``BlockingExchange`` needs.
package struct ReceivedAnswer {
    private enum Length {
        case known(Int)
        case chunked
        /// Up to the end of the connection.
        case open
    }

    private var bytes: [UInt8] = []
    /// Start of the body; nil while the head is not complete.
    private var bodyBegin: Int?
    private var length = Length.open
    /// Nil until the head is complete, and if it is not an HTTP/1 head.
    package private(set) var status: Int?
    /// `Retry-After` in seconds; nil if there is none, or if it is a date.
    package private(set) var retryAfterSeconds: Int?

    package var byteCount: Int { self.bytes.count }

    package mutating func append(_ more: ArraySlice<UInt8>) {
        self.bytes += more
        if self.bodyBegin == nil { self.readHead() }
    }

    /// Whether the answer is complete.
    package var isComplete: Bool {
        guard let begin = self.bodyBegin else { return false }
        switch self.length {
        case .known(let count): return self.bytes.count - begin >= count
        case .chunked: return self.decodedChunks().isComplete
        case .open: return false
        }
    }

    /// The part of the body that has arrived.
    package var body: [UInt8] {
        guard let begin = self.bodyBegin else { return [] }
        switch self.length {
        case .known(let count): return Array(self.bytes[begin...].prefix(count))
        case .chunked: return self.decodedChunks().body
        case .open: return Array(self.bytes[begin...])
        }
    }

    private mutating func readHead() {
        guard let end = Self.endOfHead(self.bytes) else { return }
        self.bodyBegin = end + 4
        let lines = String(decoding: self.bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        let statusLine = lines.first?.split(separator: " ", maxSplits: 2) ?? []
        if statusLine.count >= 2, statusLine[0].hasPrefix("HTTP/1."), let status = Int(statusLine[1]) {
            self.status = status
        }
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[colon...].dropFirst().drop { $0 == " " }
            switch line[..<colon].lowercased() {
            case "content-length":
                if case .open = self.length, let count = Int(value), count >= 0 { self.length = .known(count) }
            case "transfer-encoding": self.length = .chunked
            case "retry-after": self.retryAfterSeconds = Int(value).flatMap { $0 >= 0 ? $0 : nil }
            default: break
            }
        }
    }

    private static func endOfHead(_ bytes: [UInt8]) -> Int? {
        let end = Array("\r\n\r\n".utf8)
        guard bytes.count >= end.count else { return nil }
        return (0...(bytes.count - end.count)).first { bytes[$0..<$0 + end.count].elementsEqual(end) }
    }

    private func decodedChunks() -> (body: [UInt8], isComplete: Bool) {
        var rest = self.bytes[(self.bodyBegin ?? 0)...]
        var decoder = ChunkedBodyDecoder()
        var body: [UInt8] = []
        while true {
            let (taken, step) = decoder.take(rest.span)
            rest = rest.dropFirst(taken)
            switch step {
            case .data(let count):
                body += rest.prefix(count)
                rest = rest.dropFirst(count)
                decoder.tookData(count)
            case .more: return (body, false)
            // The rest cannot be parsed.
            case .end, .refused: return (body, true)
            }
        }
    }
}
