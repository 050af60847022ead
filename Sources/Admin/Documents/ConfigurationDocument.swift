import HTTP1
package import HTTPServing
package import JSONLogging
package import Logging
import NIOHTTP1
package import ServiceSettings

/// `GET /admin/config`: every setting with its effective value, the log level as it was set last.
package struct ConfigurationDocument: Sendable {
    private let settings: ResolvedSettings
    private let levelSetting: Setting<Logger.Level>
    private let level: SharedLogLevel

    /// - Parameter levelSetting: whose value `level` had at the start.
    package init(settings: ResolvedSettings, levelSetting: Setting<Logger.Level>, level: SharedLogLevel) {
        self.settings = settings
        self.levelSetting = levelSetting
        self.level = level
    }

    package var route: Route { .admin("/admin/config", get: { _ in .json(.ok, self.bytes) }) }

    private var bytes: [UInt8] {
        let level = self.level.value
        let isChanged = level != self.settings[self.levelSetting]
        return self.settings.document(changed: isChanged ? [self.levelSetting.name: level.rawValue] : [:])
    }
}
