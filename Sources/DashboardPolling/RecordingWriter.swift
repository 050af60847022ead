public import DashboardModel
import Glibc
import Synchronization
import SystemSupport

/// Writes polls to a file as they arrive. Any thread.
public final class RecordingWriter: Sendable {
    private struct State {
        var encoder = RecordingEncoder()
        /// Negative after a failed write: a recording with a gap would be misleading.
        var descriptor: Int32
        var error: Int32?
    }

    private let state: Mutex<State>

    /// - Throws: if the file already exists, cannot be created, or there is no space for the header.
    public init(path: String, header: RecordingHeader) throws(RecordingError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw RecordingError(
                errno == EEXIST
                    ? "\(path) already exists: a recording does not overwrite a file"
                    : "\(path) cannot be written: \(ErrorNumber.text(errno))")
        }
        self.state = Mutex(State(descriptor: descriptor))
        self.state.withLock { Self.write(header.line, &$0) }
        guard let failure = self.failure else { return }
        // It is empty, and its name must be free for another attempt.
        unsafe unlink(path)
        throw RecordingError("\(path) cannot be written: \(failure)")
    }

    /// Result of writing a poll.
    public enum Outcome: Sendable {
        case written
        /// The first write that failed; nothing more is written.
        case failedNow
        /// The recording had ended before.
        case ended
    }

    public func append(_ poll: RawPoll) -> Outcome {
        self.state.withLock { state in
            guard state.descriptor >= 0 else { return .ended }
            let line = state.encoder.line(poll)
            Self.write(line, &state)
            return state.descriptor >= 0 ? .written : .failedNow
        }
    }

    /// Why the recording ended early; nil without an error.
    public var failure: String? { self.state.withLock { $0.error }.map(ErrorNumber.text) }

    /// May be called repeatedly. A file system may report only here that it has no space for the written data.
    public func close() {
        self.state.withLock { state in
            if state.descriptor >= 0, Glibc.close(state.descriptor) != 0, state.error == nil { state.error = errno }
            state.descriptor = -1
        }
    }

    private static func write(_ bytes: [UInt8], _ state: inout State) {
        guard let error = DescriptorWriter.write(bytes, to: state.descriptor) else { return }
        state.error = error
        Glibc.close(state.descriptor)
        state.descriptor = -1
    }
}
