import CTerminal
import Glibc

/// The signals that a terminal program has to answer, read from a descriptor: no handler runs at a moment of its own,
/// in the middle of ncurses.
///
/// ``block()`` comes first in the program, before other threads are there: they inherit the mask.
package struct SignalDescriptor: Sendable {
    let descriptor: Int32

    /// Keeps the signals from ending or stopping the process, on this thread and those that it starts.
    package static func block() {
        ct_block_signals()
        // A write to a terminal or a pipe that is gone is an error code, not the end.
        signal(SIGPIPE, SIG_IGN)
        // Sent to programs that do something about them, which this one does not; by default they end it.
        for number in [SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
    }

    /// For a program without a screen, which signals end as any other.
    package static func unblock() {
        ct_unblock_signals()
    }

    package init() {
        self.descriptor = ct_signal_descriptor()
        precondition(self.descriptor >= 0, "no descriptor for signals: errno \(errno)")
    }

    /// The next signal that has come in, nil when none waits.
    func next() -> Int32? {
        let signal = ct_next_signal(self.descriptor)
        return signal == 0 ? nil : signal
    }
}
