import Glibc

/// Lines of a file or a pipe, read in chunks. Confined to one thread, which it blocks.
public struct LineReader {
    private static let chunkBytes = 1 << 20
    private static let newline = UInt8(ascii: "\n")

    private let descriptor: Int32
    private let limitBytes: Int
    private var buffer: [UInt8] = []
    private var position = 0
    private var isAtEnd = false
    /// Counted from 1; that of the line that was read last.
    public private(set) var number = 0
    /// Bytes of the lines read so far, with their newlines.
    public private(set) var bytesRead: UInt64 = 0
    /// Whether the line that was read last ended with a newline.
    public private(set) var wasEnded = true

    /// - Parameter limitBytes: longer lines are refused.
    public init(descriptor: Int32, limitBytes: Int) {
        self.descriptor = descriptor
        self.limitBytes = limitBytes
    }

    /// The bytes up to the next newline, or to the end; nil at the end.
    public mutating func next() throws(LineReaderError) -> [UInt8]? {
        var searched = self.position
        while true {
            if let end = self.buffer[searched...].firstIndex(of: Self.newline) {
                return self.take(to: end, ended: true)
            }
            if self.isAtEnd {
                return self.position == self.buffer.count ? nil : self.take(to: self.buffer.count, ended: false)
            }
            self.buffer.removeFirst(self.position)
            self.position = 0
            searched = self.buffer.count
            if searched > self.limitBytes {
                self.number += 1
                throw .tooLong(limitBytes: self.limitBytes)
            }
            try self.fill()
        }
    }

    private mutating func take(to end: Int, ended: Bool) -> [UInt8] {
        let line = Array(self.buffer[self.position..<end])
        self.position = ended ? end + 1 : end
        self.wasEnded = ended
        self.number += 1
        self.bytesRead += UInt64(line.count + (ended ? 1 : 0))
        return line
    }

    private mutating func fill() throws(LineReaderError) {
        let start = self.buffer.count
        self.buffer.append(contentsOf: repeatElement(0, count: Self.chunkBytes))
        while true {
            let count = unsafe self.buffer.withUnsafeMutableBytes {
                unsafe read(self.descriptor, $0.baseAddress! + start, Self.chunkBytes)
            }
            if count < 0 && errno == EINTR { continue }
            let failure = count < 0 ? errno : 0
            self.buffer.removeLast(Self.chunkBytes - max(0, count))
            if failure != 0 { throw .failed(code: failure) }
            self.isAtEnd = count == 0
            return
        }
    }
}

/// Why there is no next line.
public enum LineReaderError: Error, Equatable {
    /// The `errno` of the read.
    case failed(code: Int32)
    case tooLong(limitBytes: Int)
}
