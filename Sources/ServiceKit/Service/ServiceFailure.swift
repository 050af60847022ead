package import SystemSupport

/// Why a service cannot start or did not stop cleanly.
package struct ServiceFailure: Error, CustomStringConvertible {
    package let exit: ExitStatus
    /// What happened, where, and what to do next.
    package let message: String

    package init(_ exit: ExitStatus, _ message: String) {
        self.exit = exit
        self.message = message
    }

    package var description: String { self.message }
}
