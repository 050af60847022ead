import Glibc
import SystemSupport
import TestSupport
import Testing

@Suite("Lines of a file", .timeLimit(.minutes(1)))
struct LineReaderTests {
    /// All lines, each with the number and the bytes read that the reader has behind it.
    private func lines(
        _ bytes: [UInt8], limit: Int = 1 << 26
    ) throws -> (lines: [[UInt8]], numbers: [Int], offsets: [UInt64], wasEnded: Bool) {
        let folder = TemporaryFolder()
        try FileText.write(bytes: bytes, to: folder.file("lines"))
        let descriptor = open(folder.file("lines"), O_RDONLY)
        defer { close(descriptor) }
        var reader = LineReader(descriptor: descriptor, limitBytes: limit)
        var (lines, numbers, offsets): ([[UInt8]], [Int], [UInt64]) = ([], [], [])
        while let line = try reader.next() {
            lines.append(line)
            numbers.append(reader.number)
            offsets.append(reader.bytesRead)
        }
        return (lines, numbers, offsets, reader.wasEnded)
    }

    @Test func `lines, their numbers and where they end`() throws {
        let read = try self.lines(Array("a\n\nbc\r\nlast".utf8))
        #expect(read.lines == ["a", "", "bc\r", "last"].map { Array($0.utf8) })
        #expect(read.numbers == [1, 2, 3, 4])
        #expect(read.offsets == [2, 3, 7, 11])
        #expect(!read.wasEnded)
        #expect(try self.lines([]).lines.isEmpty)
        #expect(try self.lines([10]).wasEnded)
    }

    @Test func `lines longer than a chunk, and many, are whole`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let lines = (0..<20).map { _ in
            [UInt8](repeating: 65, count: Int.random(in: 0...600_000, using: &generator))
        }
        let read = try self.lines(lines.flatMap { $0 + [10] })
        #expect(read.lines == lines)
        #expect(read.wasEnded)
    }

    @Test func `a line above the limit and a descriptor that cannot be read are errors`() throws {
        let long = [UInt8](repeating: 65, count: 3 << 20)
        #expect(throws: LineReaderError.tooLong(limitBytes: 1 << 20)) { try self.lines(long, limit: 1 << 20) }
        var reader = LineReader(descriptor: -1, limitBytes: 1)
        #expect(throws: LineReaderError.failed(code: EBADF)) { try reader.next() }
    }
}
