public import DurableFiles

/// Reads a segment in one pass through a window of about 1 MiB that grows to the largest frame, at most 16 MiB. No
/// length is used before its checksum has been verified and the file is known to be long enough.
public struct SegmentReader {
    private static let windowBytes = 1 << 20

    public let file: any File
    public let fileBytes: UInt64
    private let salt: UInt32
    private var window: [UInt8] = []
    private var windowStart: UInt64 = 0

    public init(file: any File, fileBytes: UInt64, salt: UInt32) {
        self.file = file
        self.fileBytes = fileBytes
        self.salt = salt
    }

    /// Makes `count` bytes at `offset` available and returns their range in the window; nil past the file's end.
    private mutating func load(_ count: Int, at offset: UInt64) throws(SystemError) -> Int? {
        if offset + UInt64(count) > self.fileBytes { return nil }
        let windowEnd = self.windowStart + UInt64(self.window.count)
        if offset < self.windowStart || offset + UInt64(count) > windowEnd {
            self.window.removeAll(keepingCapacity: true)
            self.windowStart = offset
            let wanted = Int(min(UInt64(max(count, Self.windowBytes)), self.fileBytes - offset))
            let got = try self.file.read(wanted, at: offset, into: &self.window)
            if got < count { return nil }
        }
        return Int(offset - self.windowStart)
    }

    /// Verifies the frame at `offset` completely, and passes its payload to `body` in place.
    public mutating func frame(
        at offset: UInt64, _ body: (FrameHeader, UnsafeRawBufferPointer) -> FrameFault?
    ) throws(SystemError) -> Result<FrameHeader, FrameFault> {
        guard let headerIndex = try self.load(FrameHeader.byteCount, at: offset) else {
            return .failure(.incomplete)
        }
        let header: FrameHeader
        switch FrameHeader.decode(self.window, at: headerIndex, fileOffset: offset, salt: self.salt) {
        case .success(let decoded): header = decoded
        case .failure(let fault): return .failure(fault)
        }
        guard let index = try self.load(header.frameBytes, at: offset) else { return .failure(.incomplete) }
        let payload = index + FrameHeader.byteCount..<index + FrameHeader.byteCount + Int(header.payloadLength)
        if CRC32C.of(self.window, in: payload) != header.payloadChecksum { return .failure(.payloadChecksum) }
        if self.window[payload.upperBound..<index + header.frameBytes].contains(where: { $0 != 0 }) {
            return .failure(.padding)
        }
        let fault = unsafe self.window.withUnsafeBytes {
            unsafe body(header, UnsafeRawBufferPointer(rebasing: $0[payload]))
        }
        return fault.map { .failure($0) } ?? .success(header)
    }

    /// The checksum of the header of the verified frame at `offset`.
    mutating func headerChecksum(at offset: UInt64) throws(SystemError) -> UInt32 {
        guard let index = try self.load(FrameHeader.byteCount, at: offset) else {
            preconditionFailure("the frame has been read")
        }
        return self.window.loadLittleEndian(UInt32.self, at: index + 44)
    }

    /// Offset after the last byte that is not zero at or after `offset`, and whether an intact frame after `offset`
    /// proves that the segment had been synced past it.
    public mutating func inspectTail(
        from offset: UInt64
    ) throws(SystemError) -> (end: UInt64, laterFrameProvesDurable: Bool) {
        var end = offset
        var position = offset
        var proven = false
        while position < self.fileBytes {
            // Chunks overlap by a header, so that one across the boundary is found.
            let chunk = Int(min(UInt64(Self.windowBytes), self.fileBytes - position))
            guard let index = try self.load(chunk, at: position) else { break }
            if let last = self.lastNonZero(in: index..<index + chunk) { end = position + UInt64(last - index) + 1 }
            if !proven && end > position {
                proven = self.hasFrame(in: index..<index + chunk, chunkOffset: position, provingDurable: offset)
            }
            if chunk < Self.windowBytes { break }
            position += UInt64(chunk - FrameHeader.byteCount)
        }
        return (end, proven)
    }

    /// The next offset at or after `offset` with the header of a frame that was written there; the frame itself is not
    /// verified. Nil if there is none.
    public mutating func nextHeader(from offset: UInt64) throws(SystemError) -> (offset: UInt64, header: FrameHeader)? {
        let alignment = UInt64(FrameHeader.alignment)
        var position = (offset + alignment - 1) / alignment * alignment
        while let index = try self.load(FrameHeader.byteCount, at: position) {
            if self.window[index] == FrameHeader.firstByte,
                case .success(let header) = FrameHeader.decode(
                    self.window, at: index, fileOffset: position, salt: self.salt)
            {
                return (position, header)
            }
            position += alignment
        }
        return nil
    }

    private func lastNonZero(in range: Range<Int>) -> Int? {
        unsafe self.window.withUnsafeBytes { bytes in
            var index = range.upperBound
            while index - 8 >= range.lowerBound {
                if unsafe bytes.loadUnaligned(fromByteOffset: index - 8, as: UInt64.self) != 0 { break }
                index -= 8
            }
            while index > range.lowerBound {
                if unsafe bytes[index - 1] != 0 { return index - 1 }
                index -= 1
            }
            return nil
        }
    }

    private func hasFrame(in range: Range<Int>, chunkOffset: UInt64, provingDurable offset: UInt64) -> Bool {
        var index = range.lowerBound
        while index + FrameHeader.byteCount <= range.upperBound {
            let fileOffset = chunkOffset + UInt64(index - range.lowerBound)
            // Most of these bytes are zero, so the first byte nearly always decides.
            if fileOffset > offset, self.window[index] == FrameHeader.firstByte,
                case .success(let header) = FrameHeader.decode(
                    self.window, at: index, fileOffset: fileOffset, salt: self.salt),
                header.durableLength > offset
            {
                return true
            }
            index += FrameHeader.alignment
        }
        return false
    }
}
