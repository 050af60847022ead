import CTerminal
import Glibc

/// Keeps what anything in the process writes to standard error while the screen is up, and hands it out afterwards: a
/// line of a library in between would break the screen.
package struct ErrorCapture {
    /// What is kept; writing more fails.
    private static let limitBytes = 65_536

    private let saved: Int32
    private let file: Int32

    /// Nil when the system has no room for it; standard error then stays what it is.
    package init?() {
        let file = ct_memory_file(Self.limitBytes)
        guard file >= 0 else { return nil }
        let saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        guard saved >= 0, dup2(file, STDERR_FILENO) >= 0 else { return nil }
        self.saved = saved
        self.file = file
        ct_set_captured_errors(saved, file)
    }

    /// Gives standard error back, and writes to it what came in.
    package func end() {
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
