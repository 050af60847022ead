public import DurableFiles

/// Why the files of the log could not be captured.
public enum CaptureFailure: Error, Equatable, Sendable {
    /// There is another capture.
    case busy
    /// The log is closing.
    case closing
    /// The newest changes could not be synced; the log has failed.
    case system(SystemError)
}
