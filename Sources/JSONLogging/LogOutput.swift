import Synchronization

/// Where log lines go: a buffer that one thread of its own writes to a descriptor.
///
/// ``submit(_:)`` copies the line under a lock that is held for that copy only, never across a system call, so it
/// doesn't wait for a slow reader of the log. When more than the capacity waits, the line is dropped and counted;
/// likewise when the descriptor can't be written to (its reader has gone, the disk is full). That is never an error of
/// the program, and lines are taken again as soon as the descriptor takes them.
///
/// Under load the thread gathers the lines of some milliseconds into one write; the first line after a pause is
/// written at once.
package final class LogOutput: Sendable {
    let thread: LogWriterThread

    /// Starts the thread.
    /// - Parameters:
    ///   - descriptor: written to, and never closed here.
    ///   - capacityBytes: the most that may wait, the part being written included.
    package init(descriptor: Int32, capacityBytes: Int = 8 << 20) {
        self.thread = LogWriterThread(sink: DescriptorSink(descriptor: descriptor), capacityBytes: capacityBytes)
        self.thread.start()
    }

    deinit {
        self.thread.requestStop()
    }

    /// Hands over one whole line, its newline included. On any thread; doesn't block.
    package func submit(_ line: [UInt8]) {
        self.thread.submit(line)
    }

    /// Lines that will never be written: the buffer was full, the write failed, or the output had been stopped.
    package var linesDropped: UInt64 {
        self.thread.linesDropped.load(ordering: .relaxed)
    }

    /// Lines that the descriptor has taken completely.
    var linesWritten: UInt64 {
        self.thread.linesWritten.load(ordering: .relaxed)
    }

    /// Writes what waits and ends the thread. Lines submitted afterwards are dropped and counted.
    ///
    /// Blocks the caller: not for event loops.
    /// - Parameter timeoutSeconds: how long to wait for a descriptor that takes nothing.
    /// - Returns: whether everything that waited was handed to the descriptor (or failed there) in time.
    @discardableResult
    package func flushAndStop(timeoutSeconds: Double = 2) -> Bool {
        self.thread.requestStop()
        return self.thread.waitUntilStopped(timeoutSeconds: timeoutSeconds)
    }
}
