/// Why a service cannot start or did not stop in good order.
package struct ServiceFailure: Error, CustomStringConvertible {
    package let exit: ServiceExit
    /// What happened, where, and what to do next.
    package let message: String

    package init(_ exit: ServiceExit, _ message: String) {
        self.exit = exit
        self.message = message
    }

    package var description: String { self.message }
}
