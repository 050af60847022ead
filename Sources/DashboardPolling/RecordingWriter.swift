package import DashboardModel
import Glibc
import Synchronization
import SystemSupport

/// Writes polls to a file as they come in. Any thread.
package final class RecordingWriter: Sendable {
    private struct State {
        var encoder = RecordingEncoder()
        /// Negative once writing has failed: a recording with a hole would be read as the truth.
        var descriptor: Int32
        var error: Int32?
    }

    private let state: Mutex<State>

    /// - Throws: when the file is there already, cannot be made, or has no room for the header.
    package init(path: String, header: RecordingHeader) throws(RecordingError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw RecordingError(
                errno == EEXIST
                    ? "\(path) is there already: a recording is not written over another file"
                    : "\(path) cannot be written: \(ErrorNumber.text(errno))")
        }
        self.state = Mutex(State(descriptor: descriptor))
        self.state.withLock { Self.write(header.line, &$0) }
        guard let failure = self.failure else { return }
        // It holds nothing, and its name is wanted for another try.
        unsafe unlink(path)
        throw RecordingError("\(path) cannot be written: \(failure)")
    }

    /// What became of a poll.
    package enum Outcome: Sendable {
        case written
        /// The file could not be written, for the first time; nothing more is written then.
        case failedNow
        /// The recording has ended before.
        case ended
    }

    package func append(_ poll: RawPoll) -> Outcome {
        self.state.withLock { state in
            guard state.descriptor >= 0 else { return .ended }
            let line = state.encoder.line(poll)
            Self.write(line, &state)
            return state.descriptor >= 0 ? .written : .failedNow
        }
    }

    /// Why writing ended before its time, nil while all is well.
    package var failure: String? { self.state.withLock { $0.error }.map(ErrorNumber.text) }

    /// Any number of times. A file system may tell only here that it has no room for what was written.
    package func close() {
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
