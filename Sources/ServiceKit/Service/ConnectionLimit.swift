import HTTPServing

/// How many client connections a listener accepts, so that they never use the last file descriptor of the process: the
/// log opens files while the service runs, and a listener that cannot accept leaves its clients without an answer.
public struct ConnectionLimit: Equatable, Sendable {
    /// The files and sockets that a service needs besides its clients' connections and its listeners.
    public struct OwnFiles: Equatable, Sendable {
        /// The minimum to work.
        public var least: Int
        /// The maximum that it can use.
        public var most: Int

        public init(least: Int, most: Int) {
            self.least = least
            self.most = max(least, most)
        }
    }

    /// With fewer connections than this, the service does not start.
    private static let leastConnections = 4

    /// Maximum client connections.
    public let connections: Int
    /// Maximum further connections that are being refused at the same time.
    public let rejectedConnections: Int
    /// Whether the limit of open files is too low for the configured connections.
    public let isLowered: Bool
    /// Files that clients and listeners leave to the service; `.max` if the limit is unknown.
    public let ownFiles: Int
    /// Minimum number of open files that the process needs.
    public let neededFiles: Int
    /// Whether the limit of open files is below that.
    public let isTooLow: Bool

    /// - Parameters:
    ///   - wanted: the configured number.
    ///   - openFiles: the limit of open files of the process; 0 if it is unknown.
    ///   - strangers: files that were open when the process started, besides the standard streams.
    ///   - own: the files that the service needs.
    ///   - listeners: number of listening addresses.
    public init(wanted: Int, openFiles: UInt64, strangers: Int = 0, own: OwnFiles, listeners: Int) {
        let usual = HTTPServer.Limits().rejectedConnections
        // For each listener: its own socket, one connection that is being refused, and one that is being closed.
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
        // The service rarely needs its maximum: half of all files are for clients, if that leaves it the minimum.
        let share = max(files - own.most, min(files / 2, files - own.least)) / max(listeners, 1)
        self.rejectedConnections = min(usual, max(share / 8, 1))
        let most = max(share - self.rejectedConnections, 1)
        self.connections = min(wanted, most)
        self.isLowered = most < wanted
        self.ownFiles = files - listeners * (self.connections + self.rejectedConnections)
        self.isTooLow = Int(clamping: openFiles) < self.neededFiles
    }
}
