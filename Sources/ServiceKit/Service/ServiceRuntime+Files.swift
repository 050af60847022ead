import JSONLogging
import Logging
package import ServiceSettings
package import SystemSupport
import TraceExport

extension ServiceRuntime {
    /// Finds out how many connections the service can take with the files that it may open.
    ///
    /// - Parameter own: the files that the service needs for so many event loops.
    /// - Returns: nil when they are too few to work with. The log says so then, and how many are needed.
    package static func connectionLimit(
        name: String, settings: ResolvedSettings, common: CommonSettings, _ openFiles: ProcessSetup.OpenFiles,
        own: (_ eventLoops: Int) -> ConnectionLimit.OwnFiles
    ) -> ConnectionLimit? {
        var own = own(common.eventLoopCount(settings))
        if settings[common.otlpEndpoint] != nil {
            own.least += Tracer.ownFiles
            own.most += Tracer.ownFiles
        }
        let limit = ConnectionLimit(
            wanted: settings[common.maxConnections], openFiles: openFiles.limit,
            strangers: openFiles.inherited, own: own,
            listeners: settings[common.adminListen] == nil ? 1 : 2)
        guard limit.isTooLow else { return limit }
        let output = LogOutput(descriptor: 1)
        let logger = Logger(label: name) { _ in
            JSONLogHandler(service: name, output: output, level: SharedLogLevel(settings[common.logLevel]))
        }
        let message =
            "\(name) needs at least \(limit.neededFiles) open files with these settings, and the process may have "
            + "\(openFiles.limit): raise the limit (ulimit -n, LimitNOFILE=, ulimits:)"
        logger.critical("cannot start", metadata: ["error": "\(message)"])
        output.flushAndStop()
        return nil
    }
}
