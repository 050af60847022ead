import DashboardPolling
import Glibc
import SystemSupport

/// Standard output and standard error, written completely.
enum StandardStream {
    /// - Throws: ``KVTopExit/file`` after printing the reason, or ``KVTopExit/noReader`` if the reader of a pipe is
    ///   gone, which is not reported.
    static func writeOutput(_ bytes: [UInt8]) throws(KVTopExit) {
        guard let error = DescriptorWriter.write(bytes, to: STDOUT_FILENO) else { return }
        if error == EPIPE { throw .noReader }
        self.writeError("kvtop: standard output cannot be written: \(SystemText.text(error))\n")
        throw .file
    }

    static func writeOutput(_ text: String) throws(KVTopExit) { try self.writeOutput(Array(text.utf8)) }

    /// Control characters are escaped. An error of this write cannot be reported.
    static func writeError(_ text: String) {
        _ = DescriptorWriter.write(Array(text.withoutControlCharacters.utf8), to: STDERR_FILENO)
    }
}
