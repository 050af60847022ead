import CTerminal
public import DashboardModel
import Glibc
import Synchronization

/// Carries polls and the results of actions from any thread to the one that owns the terminal.
///
/// At most ``limit`` messages wait: then the oldest is dropped, because newer polls replace it.
public final class Mailbox: Sendable {
    public enum Message: Sendable {
        case poll(PollResult)
        /// The result of an action, for the event list and the last line.
        case outcome(text: String, level: DashboardEvent.Level, source: String)
        case replay(position: Double)
        /// Start again with an empty dashboard: a replay went back.
        case restart(now: Double, wallTime: Double)
        case replayEnded
    }

    static let limit = 65_536

    private let messages = Mutex<[Message]>([])
    /// Readable while messages wait.
    let descriptor: Int32

    public init() {
        self.descriptor = ct_wake_descriptor()
        precondition(
            self.descriptor >= 0, "cannot create the descriptor that wakes the terminal's thread: errno \(errno)")
    }

    deinit {
        Glibc.close(self.descriptor)
    }

    /// Any thread.
    public func post(_ message: Message) {
        self.messages.withLock { messages in
            if messages.count >= Self.limit { messages.removeFirst() }
            messages.append(message)
        }
        var one: UInt64 = 1
        _ = unsafe write(self.descriptor, &one, 8)
    }

    /// All waiting messages.
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
