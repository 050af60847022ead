/// Why the terminal cannot be used, in a line for the operator.
public struct TerminalError: Error, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}
