import CTerminal
import Glibc

/// The signals that a terminal program must handle, read from a descriptor: no handler interrupts ncurses.
///
/// Call ``block()`` first in the program, before it creates threads: they inherit the mask.
public struct SignalDescriptor: Sendable {
    let descriptor: Int32

    /// Keeps the signals from ending or stopping the process, on this thread and on threads that it creates.
    public static func block() {
        ct_block_signals()
        // A write to a closed terminal or pipe returns an error instead of ending the process.
        signal(SIGPIPE, SIG_IGN)
        // Other senders use these for programs that handle them, which this one does not; by default they end it.
        for number in [SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
    }

    /// For a program without a screen, which signals end like any other.
    public static func unblock() {
        ct_unblock_signals()
    }

    public init() {
        self.descriptor = ct_signal_descriptor()
        precondition(self.descriptor >= 0, "cannot create the descriptor for signals: errno \(errno)")
    }

    /// The next pending signal; nil if there is none.
    func next() -> Int32? {
        let signal = ct_next_signal(self.descriptor)
        return signal == 0 ? nil : signal
    }
}
