import HTTP1
import JSON
import NIOCore

/// Reads one answer after the other from the bytes of a connection, however they are divided into packets.
///
/// ```
///   (head) ──▶ (sized body) ──▶ next head        1xx: the next head belongs to the same answer
///     └──▶ (chunk size) ⇄ (chunk)
///              └─ size 0 ─▶ (trailers) ──▶ next head
/// ```
///
/// An answer that arrived whole is not copied: its body is a part of the buffer that the channel read.
struct UpstreamResponseReader {
    private enum Position {
        case head, sizedBody, chunkSize, chunk(rest: Int), endOfChunk, trailers
    }

    /// Received and not yet taken; nil without such bytes, because an empty buffer refers to memory that all event loops
    /// share.
    private var held: ByteBuffer?
    private var position = Position.head
    private var parser = UpstreamHeadParser()
    /// The content of the chunks so far.
    private var chunks = ByteBuffer()

    /// Whether bytes are left that no answer has taken.
    var hasBytes: Bool { self.held != nil }

    /// Prepares for the next answer.
    mutating func reset() {
        if self.parser.head.isChunked { self.chunks = ByteBuffer() }
        self.held = nil
        self.parser = UpstreamHeadParser()
        self.position = .head
    }

    mutating func append(_ bytes: consuming ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        guard var held = self.held.take() else {
            self.held = bytes
            return
        }
        if case .sizedBody = self.position, let length = self.parser.head.contentLength {
            held.reserveCapacity(minimumWritableBytes: max(0, length - held.readableBytes))
        }
        held.writeImmutableBuffer(bytes)
        self.held = held
    }

    /// Drops bytes that were read, and the buffer if that were all.
    private mutating func take(_ count: Int) {
        self.held?.moveReaderIndex(forwardBy: count)
        if self.held?.readableBytes == 0 { self.held = nil }
    }

    // MARK: The head

    /// Reads the head of the answer; false if more bytes are needed.
    ///
    /// - Parameter requestID: the id that was sent with the request.
    /// - Throws: ``UpstreamFailure/protocolError(_:)``.
    mutating func readHead(requestID: String) throws(UpstreamFailure) -> Bool {
        while var held = self.held.take() {
            let (taken, isComplete) = try self.parser.parse(
                held.readableBytesUInt8Span, requestID: requestID.utf8.span)
            held.moveReaderIndex(forwardBy: taken)
            if held.readableBytes > 0 { self.held = consume held }
            guard isComplete else { return false }
            guard !self.parser.head.isInterim else {
                self.parser = UpstreamHeadParser()
                continue
            }
            self.position = self.parser.head.isChunked && !self.parser.head.hasNoBody ? .chunkSize : .sizedBody
            return true
        }
        return false
    }

    /// What was read of the head, all of it after ``readHead(requestID:)`` returned true.
    var head: UpstreamResponse.Head { self.parser.head }

    // MARK: The body

    /// The answer whose head was read; nil if more bytes are needed.
    ///
    /// - Parameter limit: maximum of the bytes of its body. A `Content-Length` must have been compared with it.
    /// - Throws: ``UpstreamFailure/protocolError(_:)``.
    mutating func readAnswer(limit: Int) throws(UpstreamFailure) -> UpstreamResponse? {
        guard let body = try self.readBody(limit: limit) else { return nil }
        return UpstreamResponse(head: self.parser.head, body: body, serverTiming: self.parser.serverTiming)
    }

    /// The content of the chunks that were read since the last call, if the answer is to be passed on before it is complete.
    mutating func takeContent() -> ByteBuffer {
        let content = self.chunks
        self.chunks = ByteBuffer()
        return content
    }

    private mutating func readBody(limit: Int) throws(UpstreamFailure) -> ByteBuffer? {
        guard case .sizedBody = self.position else { return try self.readChunks(limit: limit) }
        let length = self.parser.head.hasNoBody ? 0 : self.parser.head.contentLength ?? 0
        guard length > 0 else { return ByteBuffer() }
        // Most often the whole answer has arrived, and nothing else.
        return self.held?.readableBytes == length ? self.held.take() : self.held?.readSlice(length: length)
    }

    private mutating func readChunks(limit: Int) throws(UpstreamFailure) -> ByteBuffer? {
        while true {
            if case .chunk(let rest) = self.position {
                guard self.hasBytes else { return nil }
                self.readChunk(rest: rest)
                continue
            }
            guard let held = self.held else { return nil }
            let bytes = held.readableBytesUInt8Span
            guard let length = try UpstreamHeadParser.endOfLine(in: bytes, from: 0) else { return nil }
            switch self.position {
            case .chunkSize:
                guard let size = Self.chunkSize(bytes.extracting(0..<length)) else {
                    throw .protocolError("a malformed chunk")
                }
                guard size <= limit - self.chunks.readableBytes else {
                    throw .protocolError("an answer of more than \(limit) bytes")
                }
                self.position = size == 0 ? .trailers : .chunk(rest: size)
            case .endOfChunk:
                guard length == 0 else { throw .protocolError("a chunk longer than its size") }
                self.position = .chunkSize
            default:
                guard length > 0 else {
                    self.take(2)
                    return self.chunks
                }
                try self.parser.take(trailer: bytes.extracting(0..<length))
            }
            self.take(length + 2)
        }
    }

    /// - Parameter rest: what is left of the chunk; the limit has been checked for all of it.
    private mutating func readChunk(rest: Int) {
        let length = min(rest, self.held?.readableBytes ?? 0)
        guard let piece = self.held?.readSlice(length: length) else { preconditionFailure("less than was counted") }
        self.take(0)
        self.chunks.writeImmutableBuffer(piece)
        self.position = length == rest ? .endOfChunk : .chunk(rest: rest - length)
    }

    /// The size of a chunk; nil for a malformed one. Extensions are checked and dropped.
    private static func chunkSize(_ line: Span<UInt8>) -> Int? {
        var size = 0
        var index = 0
        while index < line.count, let digit = HexDigits.value(ofDigit: line[index]) {
            guard size <= Int.max >> 4 else { return nil }
            size = size << 4 | Int(digit)
            index += 1
        }
        guard index > 0, self.areExtensions(line.extracting(index..<line.count)) else { return nil }
        return size
    }

    /// `*( ";" token [ "=" ( token | quoted-string ) ] )`, without blanks.
    private static func areExtensions(_ text: Span<UInt8>) -> Bool {
        var index = 0
        func skipToken() -> Bool {
            let begin = index
            while index < text.count, ASCII.isTokenCharacter(text[index]) { index += 1 }
            return index > begin
        }
        while index < text.count {
            guard text[index] == UInt8(ascii: ";") else { return false }
            index += 1
            guard skipToken() else { return false }
            guard index < text.count, text[index] == UInt8(ascii: "=") else { continue }
            index += 1
            guard index < text.count, text[index] == UInt8(ascii: "\"") else {
                guard skipToken() else { return false }
                continue
            }
            index += 1
            while index < text.count, text[index] != UInt8(ascii: "\"") {
                index += text[index] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard index < text.count else { return false }
            index += 1
        }
        return true
    }
}
