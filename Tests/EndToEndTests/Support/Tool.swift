import Glibc
import TestSupport

/// Programs that are not this project's, which tests hold it against.
enum Tool {
    /// Runs a command to its end.
    ///
    /// - Returns: all that it has written.
    static func run(
        _ path: String, _ arguments: [String], in folder: TemporaryFolder, seconds: Double = 60
    ) throws -> (ending: Ending, output: String) {
        let process = try ChildProcess(path, arguments, output: folder.file("tool-\(UInt64.random(in: 0 ... .max))"))
        return try (process.waitForEnd(seconds: seconds), process.output)
    }

    /// The script that reads metrics with others' decoders.
    static let readMetrics = Repository.path("Tests/Tools/read-metrics")

    /// Whether the libraries that ``readMetrics`` stands on are installed.
    static let canReadMetrics: Bool = {
        let folder = TemporaryFolder()
        guard access("/usr/bin/python3", X_OK) == 0 else { return false }
        let imports = "import prometheus_client.openmetrics.parser, google.protobuf"
        return (try? Self.run("/usr/bin/python3", ["-c", imports], in: folder).ending) == .exited(0)
    }()
}
