import HTTP1
public import HTTPServing
public import JSON
public import JSONLogging
public import Logging
import NIOHTTP1
public import ServiceSettings

/// `GET /admin/config`: every setting with its effective value, the log level as it was set last, and what became of the
/// last reload.
public struct ConfigurationDocument: Sendable {
    private let settings: @Sendable () -> ResolvedSettings
    private let levelSetting: Setting<Logger.Level>
    private let level: SharedLogLevel
    private let reload: @Sendable (inout JSONWriter) -> Void

    /// - Parameters:
    ///   - settings: the values in force.
    ///   - levelSetting: the one that says what `level` is while no action has changed it.
    ///   - reload: writes the member of that name.
    public init(
        settings: @escaping @Sendable () -> ResolvedSettings, levelSetting: Setting<Logger.Level>,
        level: SharedLogLevel, reload: @escaping @Sendable (inout JSONWriter) -> Void
    ) {
        self.settings = settings
        self.levelSetting = levelSetting
        self.level = level
        self.reload = reload
    }

    public var route: Route { .admin("/admin/config", get: { _ in .json(.ok, self.bytes) }) }

    private var bytes: [UInt8] {
        let settings = self.settings()
        let level = self.level.value
        let isChanged = level != settings[self.levelSetting]
        return settings.document(
            changed: isChanged ? [self.levelSetting.name: level.rawValue] : [:], reload: self.reload)
    }
}
