/// The version of the program, for `--version`, `build_info` and `/admin`.
public enum BuildInfo {
    public static let version = "0.1.0"
    /// The commit, if the packager set it in `TXLOG_KV_COMMIT`.
    public static let commit = ProcessEnvironment.current["TXLOG_KV_COMMIT"] ?? "unknown"

    /// The language version of the compiler.
    public static var swiftVersion: String {
        #if compiler(>=6.4)
        "6.4 or newer"
        #elseif compiler(>=6.3)
        "6.3"
        #else
        "6.2"
        #endif
    }

    public static var buildType: String {
        #if DEBUG
        "debug"
        #else
        "release"
        #endif
    }
}
