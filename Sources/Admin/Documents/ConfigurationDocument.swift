import HTTP1
public import HTTPServing
public import JSONLogging
public import Logging
import NIOHTTP1
public import ServiceSettings

/// `GET /admin/config`: every setting with its effective value, the log level as it was set last.
public struct ConfigurationDocument: Sendable {
    private let settings: ResolvedSettings
    private let levelSetting: Setting<Logger.Level>
    private let level: SharedLogLevel

    /// - Parameter levelSetting: whose value `level` had at the start.
    public init(settings: ResolvedSettings, levelSetting: Setting<Logger.Level>, level: SharedLogLevel) {
        self.settings = settings
        self.levelSetting = levelSetting
        self.level = level
    }

    public var route: Route { .admin("/admin/config", get: { _ in .json(.ok, self.bytes) }) }

    private var bytes: [UInt8] {
        let level = self.level.value
        let isChanged = level != self.settings[self.levelSetting]
        return self.settings.document(changed: isChanged ? [self.levelSetting.name: level.rawValue] : [:])
    }
}
