import HTTPServing

/// How many client connections a listener takes, so that they never take the last descriptor of the process: the log
/// opens files while it serves, and a listener that cannot accept leaves its clients without an answer.
package struct ConnectionLimit: Equatable, Sendable {
    /// The files and sockets that a service needs beside its clients' connections and its listeners.
    package struct OwnFiles: Equatable, Sendable {
        /// Without these it cannot work.
        package var least: Int
        /// What it can have use for.
        package var most: Int

        package init(least: Int, most: Int) {
            self.least = least
            self.most = max(least, most)
        }
    }

    /// Connections below this are not worth a start.
    private static let leastConnections = 4

    /// Connections at one time.
    package let connections: Int
    /// Connections above that which are being told so at one time.
    package let rejectedConnections: Int
    /// Whether the process may have too few open files for all that are wanted.
    package let isLowered: Bool
    /// Files that clients and listeners leave to the service; `.max` when nobody knows how many there are.
    package let ownFiles: Int
    /// Open files that the process needs at least.
    package let neededFiles: Int
    /// Whether the process may have fewer than that.
    package let isTooLow: Bool

    /// - Parameters:
    ///   - wanted: what the settings say.
    ///   - openFiles: the limit of open files of the process; 0 when it is not known.
    ///   - strangers: files that were open when the process began, beside the standard streams.
    ///   - own: what the service needs.
    ///   - listeners: addresses that take connections.
    package init(wanted: Int, openFiles: UInt64, strangers: Int = 0, own: OwnFiles, listeners: Int) {
        let usual = HTTPServer.Limits().rejectedConnections
        // For each listener its own socket, one connection that is told that it is one too many, and one being closed.
        self.neededFiles = strangers + own.least + listeners * (3 + min(wanted, Self.leastConnections))
        if openFiles == 0 {
            self.connections = wanted
            self.rejectedConnections = usual
            self.isLowered = false
            self.ownFiles = .max
            self.isTooLow = false
            return
        }
        let files = Int(clamping: openFiles) - strangers - 2 * listeners
        // What the service needs at the most is rarely needed: half of all is for clients if that leaves it the least.
        let share = max(files - own.most, min(files / 2, files - own.least)) / max(listeners, 1)
        self.rejectedConnections = min(usual, max(share / 8, 1))
        let most = max(share - self.rejectedConnections, 1)
        self.connections = min(wanted, most)
        self.isLowered = most < wanted
        self.ownFiles = files - listeners * (self.connections + self.rejectedConnections)
        self.isTooLow = Int(clamping: openFiles) < self.neededFiles
    }
}
