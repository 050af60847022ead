import Glibc

/// Writes batches of lines to a file descriptor in any state.
///
/// An interrupted or short write continues where it stopped. A descriptor in non-blocking mode is waited for. After any
/// other error, the rest of the batch is dropped, and its lines are counted.
struct DescriptorSink {
    struct Result: Equatable {
        /// Lines written completely.
        var linesWritten = 0
        var linesDropped = 0
    }

    /// The result of one system call.
    enum Outcome {
        /// At least one byte.
        case took(Int)
        case interrupted
        case wouldBlock
        case failed
    }

    private let attempt: (ArraySlice<UInt8>) -> Outcome
    /// False if the descriptor will never accept anything.
    private let waitUntilWritable: () -> Bool
    /// Whether an error left an incomplete line behind. Then the next batch begins with a newline, so that only the
    /// torn line is damaged.
    private var endsInsideLine = false

    init(descriptor: Int32) {
        self.init(
            attempt: { Self.write($0, to: descriptor) },
            waitUntilWritable: { Self.waitUntilWritable(descriptor) }
        )
    }

    /// With other system calls, for tests.
    init(attempt: @escaping (ArraySlice<UInt8>) -> Outcome, waitUntilWritable: @escaping () -> Bool) {
        self.attempt = attempt
        self.waitUntilWritable = waitUntilWritable
    }

    /// - Parameters:
    ///   - batch: complete lines.
    ///   - lines: the number of these lines.
    mutating func write(_ batch: [UInt8], lines: Int) -> Result {
        if self.endsInsideLine {
            guard self.writeBytes([UInt8(ascii: "\n")]) == 1 else { return Result(linesDropped: lines) }
            self.endsInsideLine = false
        }
        let written = self.writeBytes(batch)
        if written == batch.count { return Result(linesWritten: lines) }
        if written > 0 {
            self.endsInsideLine = batch[written - 1] != UInt8(ascii: "\n")
        }
        let whole = Self.lines(in: batch[..<written])
        return Result(linesWritten: whole, linesDropped: lines - whole)
    }

    /// Returns the number of bytes written: all, or fewer after an error.
    private func writeBytes(_ bytes: [UInt8]) -> Int {
        var written = 0
        while written < bytes.count {
            switch self.attempt(bytes[written...]) {
            case .took(let count):
                written += count
            case .interrupted:
                continue
            case .wouldBlock:
                guard self.waitUntilWritable() else { return written }
            case .failed:
                return written
            }
        }
        return written
    }

    /// The number of lines that end in `bytes`: for what was not taken as a whole.
    static func lines(in bytes: ArraySlice<UInt8>) -> Int { bytes.count { $0 == UInt8(ascii: "\n") } }

    // MARK: System calls

    private static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Outcome {
        // The pointer is used only for this call.
        let result = unsafe bytes.withUnsafeBytes { buffer in
            unsafe Glibc.write(descriptor, buffer.baseAddress, buffer.count)
        }
        if result > 0 { return .took(result) }
        guard result < 0 else { return .failed }
        switch errno {
        case EINTR: return .interrupted
        case EAGAIN: return .wouldBlock
        default: return .failed
        }
    }

    private static func waitUntilWritable(_ descriptor: Int32) -> Bool {
        while true {
            var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let result = unsafe Glibc.poll(&poll, 1, -1)
            if result > 0 {
                return Int32(poll.revents) & POLLOUT != 0
            }
            guard result < 0, errno == EINTR else { return false }
        }
    }
}
