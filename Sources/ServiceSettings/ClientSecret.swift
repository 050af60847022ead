import Glibc

/// The access key or token of a client program, which is never an argument.
public enum ClientSecret {
    /// The path that stands for a question on the terminal.
    public static let prompt = "-"

    /// Reads it from a file, or asks for it on the terminal, where it is not shown. Blocks.
    ///
    /// - Throws: a text to append to the path.
    public static func read(_ path: String) throws(OperatorFileError) -> String {
        guard path == Self.prompt else { return try OperatorFile.token(path) }
        // Of the C library: it turns the echo off and on again, also for signals.
        guard let answer = unsafe getpass("Access key: ") else {
            throw OperatorFileError("cannot be asked for: there is no terminal")
        }
        let text = unsafe String(cString: answer)
        if text.isEmpty { throw OperatorFileError("was not answered: give the access key, on a terminal") }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw OperatorFileError("is not an access key: one line of printable ASCII characters")
        }
        return text
    }
}
