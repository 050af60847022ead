/// Why the terminal cannot be used, in a line for the operator.
package struct TerminalError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
