package import DashboardModel
import Glibc
import Synchronization

/// Writes polls to a file as they come in. Any thread.
package final class RecordingWriter: Sendable {
    private struct State {
        var encoder = RecordingEncoder()
        /// Negative once writing has failed: a recording with a hole would be read as the truth.
        var descriptor: Int32
        var error: Int32?
    }

    private let state: Mutex<State>

    /// - Throws: when the file is there already, or cannot be made.
    package init(path: String, header: RecordingHeader) throws(RecordingError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw RecordingError(
                errno == EEXIST
                    ? "\(path) is there already: a recording is not written over another file"
                    : "\(path) cannot be written: \(SystemText.text(errno))")
        }
        self.state = Mutex(State(descriptor: descriptor))
        self.state.withLock { Self.write(header.line, &$0) }
    }

    /// - Returns: false when the file could not be written; nothing more is written then.
    @discardableResult
    package func append(_ poll: RawPoll) -> Bool {
        self.state.withLock { state in
            guard state.descriptor >= 0 else { return false }
            let line = state.encoder.line(poll)
            Self.write(line, &state)
            return state.descriptor >= 0
        }
    }

    /// Why writing ended before its time, nil while all is well.
    package var failure: String? { self.state.withLock { $0.error }.map(SystemText.text) }

    package func close() {
        self.state.withLock { state in
            if state.descriptor >= 0 { Glibc.close(state.descriptor) }
            state.descriptor = -1
        }
    }

    private static func write(_ bytes: [UInt8], _ state: inout State) {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(state.descriptor, buffer.baseAddress! + offset, buffer.count - offset)
            }
            if count > 0 {
                offset += count
            } else if errno != EINTR {
                state.error = errno
                Glibc.close(state.descriptor)
                state.descriptor = -1
                return
            }
        }
    }
}

/// The text of an `errno`.
enum SystemText {
    static func text(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
