import ArgumentParser
import DashboardModel

/// The JSON file of `--config`. A member that is unknown or has the wrong type is an error that names it.
struct ConfigurationFile {
    var kvServices: [String]?
    var gateway: String?
    var interval: String?
    var theme: String?
    var tokenFile: String?
    var isReadOnly = false
    var thresholds = Thresholds()

    /// What `--default-config` prints.
    static let example = """
        {
          "kv": ["http://127.0.0.1:8081"],
          "gateway": "http://127.0.0.1:8080",
          "interval": "1s",
          "theme": "dark",
          "read-only": false,
          "thresholds": {
            "error_ratio": [0.01, 0.05],
            "p99_seconds": [0.1, 0.5],
            "fsync_p99_seconds": [0.01, 0.05],
            "garbage_ratio": [0.3, 0.5],
            "disk_use_ratio": [0.8, 0.95]
          }
        }

        """

    init() {}

    init(path: String) throws {
        let tree: JSONTree
        do { tree = try JSONTree(parsing: try SmallFile.read(path)) } catch let error as JSONTreeError {
            throw ValidationError("\(path): \(error)")
        }
        guard case .object = tree else { throw ValidationError("\(path): the configuration must be a JSON object") }
        for member in tree.members {
            guard try self.take(member) else {
                throw ValidationError(
                    "\(path): '\(member.name)' is not a setting, or has the wrong type; see --default-config")
            }
        }
    }

    private mutating func take(_ member: JSONTree.Member) throws -> Bool {
        let text = member.value.string
        switch member.name {
        case "kv":
            self.kvServices = text.map { [$0] } ?? member.value.elements.compactMap(\.string)
            return self.kvServices?.isEmpty == false
        case "gateway": self.gateway = text
        case "interval": self.interval = text
        case "theme": self.theme = text
        case "admin-token-file": self.tokenFile = text
        case "read-only":
            self.isReadOnly = member.value.bool ?? false
            return member.value.bool != nil
        case "thresholds": return self.takeThresholds(member.value)
        default: return false
        }
        return text != nil
    }

    private mutating func takeThresholds(_ tree: JSONTree) -> Bool {
        for member in tree.members {
            let limits = member.value.elements.compactMap(\.double)
            guard limits.count == 2, limits[0] > 0, limits[0] <= limits[1] else { return false }
            let threshold = Threshold(warning: limits[0], critical: limits[1])
            switch member.name {
            case "error_ratio": self.thresholds.errorRatio = threshold
            case "p99_seconds": self.thresholds.p99 = threshold
            case "fsync_p99_seconds": self.thresholds.syncP99 = threshold
            case "garbage_ratio": self.thresholds.garbageRatio = threshold
            case "disk_use_ratio": self.thresholds.diskUse = threshold
            default: return false
            }
        }
        return true
    }
}
