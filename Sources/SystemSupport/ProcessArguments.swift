import CProcess

/// The command line of the process.
package enum ProcessArguments {
    /// The arguments without the program's name, also where `/proc` is not mounted, from which Swift's `CommandLine`
    /// would read them. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// A program that reads them here also has its closed standard streams occupied, before it opens anything.
    package static let current: [String] = {
        var arguments: [String] = []
        var position = unsafe process_arguments()
        while let argument = unsafe position.pointee {
            unsafe arguments.append(String(cString: argument))
            unsafe position += 1
        }
        return Array(arguments.dropFirst())
    }()
}
