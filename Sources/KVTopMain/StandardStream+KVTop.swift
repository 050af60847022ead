import Glibc
import SystemSupport

extension StandardStream {
    /// - Throws: ``ProgramExit/inputOutput`` after saying why, or ``ProgramExit/readerGone`` when nobody reads a pipe any more: that
    ///   is no failure to speak of.
    static func writeOutput(_ bytes: [UInt8]) throws(ProgramExit) {
        do { try Self.output.write(bytes) } catch {
            if error.code == EPIPE { throw .readerGone }
            self.tell("kvtop: \(error)\n")
            throw .inputOutput
        }
    }

    static func writeOutput(_ text: String) throws(ProgramExit) { try self.writeOutput(Array(text.utf8)) }
}
