import JSONLogging
import Logging
public import ServiceSettings
public import SystemSupport
import TraceExport

extension ServiceRuntime {
    /// Computes how many connections the service can accept within the limit of open files.
    ///
    /// - Parameter own: the files that the service needs for this number of event loops.
    /// - Returns: nil if the limit is too low to work; the log then reports it with the number that is needed.
    public static func connectionLimit(
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
            "\(name) needs at least \(limit.neededFiles) open files with these settings, but the process has a "
            + "limit of \(openFiles.limit): raise it (ulimit -n, LimitNOFILE=, ulimits:)"
        logger.critical("cannot start", metadata: ["error": "\(message)"])
        output.flushAndStop()
        return nil
    }
}
