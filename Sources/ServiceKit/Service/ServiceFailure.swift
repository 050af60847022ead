public import SystemSupport

/// Why a service cannot start or did not stop cleanly.
public struct ServiceFailure: Error, CustomStringConvertible {
    public let exit: ProgramExit
    /// What happened, where, and what to do next.
    public let message: String

    public init(_ exit: ProgramExit, _ message: String) {
        self.exit = exit
        self.message = message
    }

    public var description: String { self.message }
}
