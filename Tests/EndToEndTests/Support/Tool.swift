import Glibc

/// Programs that are not this project's, which tests hold it against.
enum Tool {
    /// Where a command is; nil when it is not installed.
    static func path(_ name: String) -> String? {
        let folders = String(cString: getenv("PATH")).split(separator: ":")
        return folders.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

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
    static let readMetrics = "\(Repository.root)/Tests/Tools/read-metrics"

    /// Whether the libraries that ``readMetrics`` stands on are installed.
    static let canReadMetrics: Bool = {
        guard let folder = try? TemporaryFolder(), access("/usr/bin/python3", X_OK) == 0 else { return false }
        let imports = "import prometheus_client.openmetrics.parser, google.protobuf"
        return (try? Self.run("/usr/bin/python3", ["-c", imports], in: folder).ending) == .exited(0)
    }()
}

/// The checkout that the tests were built from.
enum Repository {
    static let root = #filePath.split(separator: "/").dropLast(4).map { "/\($0)" }.joined()
}
