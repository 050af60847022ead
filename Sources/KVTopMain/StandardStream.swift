import DashboardPolling
import Glibc
import SystemSupport

/// Standard output and standard error, written whole.
enum StandardStream {
    /// - Throws: ``KVTopExit/file`` after saying why, or ``KVTopExit/noReader`` when nobody reads a pipe any more: that
    ///   is no failure to speak of.
    static func writeOutput(_ bytes: [UInt8]) throws(KVTopExit) {
        guard let error = DescriptorWriter.write(bytes, to: STDOUT_FILENO) else { return }
        if error == EPIPE { throw .noReader }
        self.writeError("kvtop: standard output cannot be written: \(SystemText.text(error))\n")
        throw .file
    }

    static func writeOutput(_ text: String) throws(KVTopExit) { try self.writeOutput(Array(text.utf8)) }

    /// Control characters are shown, not done. There is nobody to hear of an error of this.
    static func writeError(_ text: String) {
        _ = DescriptorWriter.write(Array(text.withoutControlCharacters.utf8), to: STDERR_FILENO)
    }
}
