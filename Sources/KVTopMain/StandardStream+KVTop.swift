import Glibc
import SystemSupport

extension StandardStream {
    /// - Throws: ``KVTopExit/file`` after saying why, or ``KVTopExit/noReader`` when nobody reads a pipe any more: that
    ///   is no failure to speak of.
    static func writeOutput(_ bytes: [UInt8]) throws(KVTopExit) {
        do { try Self.output.write(bytes) } catch {
            if error.code == EPIPE { throw .noReader }
            self.tell("kvtop: \(error)\n")
            throw .file
        }
    }

    static func writeOutput(_ text: String) throws(KVTopExit) { try self.writeOutput(Array(text.utf8)) }
}
