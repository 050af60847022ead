/// What is running, for `--version`, `build_info` and `/admin`.
package enum BuildInfo {
    package static let version = "0.1.0"
    /// The commit, when whoever packaged the program put it into `TXLOG_KV_REVISION`.
    package static let revision = ProcessEnvironment.current["TXLOG_KV_REVISION"] ?? "unknown"
}
