import CProcess

/// The command line of the process.
public enum ProcessArguments {
    /// The arguments without the program's name, even if `/proc`, which Swift's `CommandLine` reads, is not mounted.
    /// Bytes that are not UTF-8 become U+FFFD.
    ///
    /// In a program that uses this, closed standard streams are occupied before it opens anything.
    public static let current: [String] = {
        var arguments: [String] = []
        var position = unsafe process_arguments()
        while let argument = unsafe position.pointee {
            unsafe arguments.append(String(cString: argument))
            unsafe position += 1
        }
        return Array(arguments.dropFirst())
    }()
}
