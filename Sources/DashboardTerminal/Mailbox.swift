import CTerminal
package import DashboardModel
import Glibc
import Synchronization

/// Carries polls and the results of actions from any thread to the one that owns the terminal.
///
/// At most ``limit`` messages wait: beyond it the oldest is dropped, for a newer poll says more.
package final class Mailbox: Sendable {
    package enum Message: Sendable {
        case poll(PollResult)
        /// What came of an action, for the event list and the line at the bottom.
        case outcome(text: String, level: DashboardEvent.Level, source: String)
        case replay(position: Double)
        /// Begin anew with an empty dashboard: a replay went back.
        case restart(now: Double, wallTime: Double)
        case replayEnded
    }

    static let limit = 65_536

    private let messages = Mutex<[Message]>([])
    /// Readable while messages wait.
    let descriptor: Int32

    package init() {
        self.descriptor = ct_wake_descriptor()
        precondition(self.descriptor >= 0, "no descriptor for waking the terminal's thread: errno \(errno)")
    }

    deinit {
        Glibc.close(self.descriptor)
    }

    /// Any thread.
    package func post(_ message: Message) {
        self.messages.withLock { messages in
            if messages.count >= Self.limit { messages.removeFirst() }
            messages.append(message)
        }
        var one: UInt64 = 1
        _ = unsafe write(self.descriptor, &one, 8)
    }

    /// All that waits.
    func take() -> [Message] {
        var count: UInt64 = 0
        _ = unsafe read(self.descriptor, &count, 8)
        return self.messages.withLock { messages in
            let taken = messages
            messages = []
            return taken
        }
    }
}
