/// How many client connections a listener takes, so that they never take the last descriptor of the process: the log
/// opens files while it serves, and a listener that can accept no more would be asked again and again.
package struct ConnectionLimit: Equatable, Sendable {
    /// Connections at one time.
    package let connections: Int
    /// Connections above that which are being told so at one time.
    package let rejectedConnections: Int
    /// Whether the process may have too few open files for all that are wanted.
    package let isLowered: Bool

    /// - Parameters:
    ///   - wanted: what the settings say.
    ///   - openFiles: the limit of open files of the process; 0 when it is not known.
    ///   - ownFiles: files and sockets that the service needs beside its clients' connections.
    ///   - listeners: addresses that take connections.
    package init(wanted: Int, openFiles: UInt64, ownFiles: Int, listeners: Int) {
        let usual = HTTPServer.Limits().rejectedConnections
        if openFiles == 0 {
            self.connections = wanted
            self.rejectedConnections = usual
            self.isLowered = false
            return
        }
        // What the service needs at the most is rarely needed: half of all is for clients in any case.
        let files = Int(clamping: openFiles)
        let share = max(files - ownFiles, files / 2) / max(listeners, 1)
        self.rejectedConnections = min(usual, max(share / 8, 1))
        // A service that takes none could not even say why.
        let most = max(share - self.rejectedConnections, 4)
        self.connections = min(wanted, most)
        self.isLowered = most < wanted
    }
}
