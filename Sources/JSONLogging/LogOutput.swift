import Synchronization

/// The output of log lines: a buffer that a separate thread writes to a file descriptor.
///
/// ``submit(_:count:)`` copies lines under a lock that is held only for that copy, never across a system call, so it does
/// not wait for a slow reader of the log. If more than the capacity waits, a line is dropped and counted; also if the
/// descriptor cannot be written (its reader is gone, the disk is full). That is never an error of the program, and
/// lines are accepted again as soon as the descriptor accepts them.
///
/// Under load the thread collects the lines of some milliseconds into one write; the first line after a pause is
/// written immediately.
public final class LogOutput: Sendable {
    let thread: LogWriterThread

    /// Starts the thread.
    /// - Parameters:
    ///   - descriptor: written, and never closed here.
    ///   - capacityBytes: maximum bytes that may wait, including those being written.
    public init(descriptor: Int32, capacityBytes: Int = 8 << 20) {
        self.thread = LogWriterThread(sink: DescriptorSink(descriptor: descriptor), capacityBytes: capacityBytes)
        self.thread.start()
    }

    deinit {
        self.thread.requestStop()
    }

    /// Passes on complete lines, each with its newline; those that come together cost one lock. On any thread; does not
    /// block.
    /// - Parameter count: the number of these lines.
    public func submit(_ lines: [UInt8], count: Int = 1) {
        self.thread.submit(lines, count: count)
    }

    /// Lines that will never be written: the buffer was full, the write failed, or the output was already stopped.
    public var linesDropped: UInt64 {
        self.thread.linesDropped.load(ordering: .relaxed)
    }

    /// Lines that were written completely.
    var linesWritten: UInt64 {
        self.thread.linesWritten.load(ordering: .relaxed)
    }

    /// Writes the waiting lines and ends the thread. Lines submitted afterwards are dropped and counted.
    ///
    /// Blocks the caller: not for event loops.
    /// - Parameter timeoutSeconds: how long to wait for a descriptor that accepts nothing.
    /// - Returns: whether all waiting lines were written (or failed) in time.
    @discardableResult
    public func flushAndStop(timeoutSeconds: Double = 2) -> Bool {
        self.thread.requestStop()
        return self.thread.waitUntilStopped(timeoutSeconds: timeoutSeconds)
    }
}
