import Glibc

/// Writes batches of lines to a descriptor, whatever the descriptor does.
///
/// An interrupted or short write goes on where it stopped. A descriptor in non-blocking mode is waited for. Any other
/// error gives up the rest of the batch: its lines are lost, and counted.
struct DescriptorSink {
    struct Result: Equatable {
        /// Lines taken completely.
        var linesWritten = 0
        var linesDropped = 0
    }

    let descriptor: Int32
    /// Whether an error left part of a line behind. The next batch begins with a newline then, so that only the torn
    /// line is damaged.
    private var endsInsideLine = false

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// - Parameter batch: whole lines.
    mutating func write(_ batch: [UInt8]) -> Result {
        if self.endsInsideLine {
            guard self.writeBytes([UInt8(ascii: "\n")]) == 1 else {
                return Result(linesDropped: Self.lines(in: batch[...]))
            }
            self.endsInsideLine = false
        }
        let written = self.writeBytes(batch)
        if written == batch.count {
            return Result(linesWritten: Self.lines(in: batch[...]))
        }
        self.endsInsideLine = written > 0 && batch[written - 1] != UInt8(ascii: "\n")
        return Result(
            linesWritten: Self.lines(in: batch[..<written]),
            linesDropped: Self.lines(in: batch[written...])
        )
    }

    /// Returns the number of bytes taken: all, or fewer after an error.
    private func writeBytes(_ bytes: [UInt8]) -> Int {
        var written = 0
        while written < bytes.count {
            let offset = written
            // The pointer is used for this call only, and the length is what lies behind the offset.
            let result = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(self.descriptor, buffer.baseAddress! + offset, buffer.count - offset)
            }
            if result > 0 {
                written += result
                continue
            }
            switch errno {
            case EINTR where result < 0:
                continue
            case EAGAIN where result < 0:
                guard self.waitUntilWritable() else { return written }
            default:
                return written
            }
        }
        return written
    }

    /// False when the descriptor will never become writable.
    private func waitUntilWritable() -> Bool {
        while true {
            var poll = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
            let result = unsafe Glibc.poll(&poll, 1, -1)
            if result > 0 {
                return Int32(poll.revents) & POLLOUT != 0
            }
            guard result < 0, errno == EINTR else { return false }
        }
    }

    private static func lines(in bytes: ArraySlice<UInt8>) -> Int {
        bytes.reduce(into: 0) { count, byte in
            if byte == UInt8(ascii: "\n") { count += 1 }
        }
    }
}
