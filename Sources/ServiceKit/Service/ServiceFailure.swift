package import SystemSupport

/// Why a service cannot start or did not stop cleanly.
package struct ServiceFailure: Error, CustomStringConvertible {
    package let exit: ProgramExit
    /// What happened, where, and what to do next.
    package let message: String

    package init(_ exit: ProgramExit, _ message: String) {
        self.exit = exit
        self.message = message
    }

    package var description: String { self.message }
}
