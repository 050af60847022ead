import CTerminal
import Glibc

/// Keeps everything that the process writes to standard error while the screen is shown, and prints it afterwards: a
/// line of a library would break the screen.
public struct ErrorCapture {
    /// Maximum bytes that are kept; further writes fail.
    private static let limitBytes = 65_536

    private let saved: Int32
    private let file: Int32

    /// Nil if the system lacks the resources; standard error then stays unchanged.
    public init?() {
        let file = ct_memory_file(Self.limitBytes)
        guard file >= 0 else { return nil }
        let saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        guard saved >= 0, dup2(file, STDERR_FILENO) >= 0 else { return nil }
        self.saved = saved
        self.file = file
        ct_set_captured_errors(saved, file)
    }

    /// Restores standard error, and writes the kept text to it.
    public func end() {
        ct_set_captured_errors(-1, -1)
        dup2(self.saved, STDERR_FILENO)
        close(self.saved)
        var bytes = [UInt8](repeating: 0, count: max(0, lseek(self.file, 0, SEEK_CUR)))
        lseek(self.file, 0, SEEK_SET)
        let count = unsafe read(self.file, &bytes, bytes.count)
        if count > 0 { _ = unsafe write(STDERR_FILENO, bytes, count) }
        close(self.file)
    }
}
