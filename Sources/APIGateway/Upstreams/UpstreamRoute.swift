import AccessControl
import ServiceSettings

/// Which keys go to a kv-service: an entry of the routes file.
struct UpstreamRoute: Sendable, Equatable {
    /// That of the only upstream without a routes file.
    static let onlyName = "kv-service"

    /// 1 to 64 of `[A-Za-z0-9._-]`; for metrics, `/admin` and logs.
    let name: String
    let address: UpstreamAddress
    /// What its keys begin with.
    let prefixes: [[UInt8]]
    /// Whether it has all keys too that begin with no prefix of any route.
    let takesOthers: Bool

    /// The only one without a routes file: it has every key.
    static func only(_ address: UpstreamAddress) -> UpstreamRoute {
        UpstreamRoute(name: self.onlyName, address: address, prefixes: [], takesOthers: true)
    }

    /// The prefixes as they are in the file.
    var prefixTexts: [String] { self.prefixes.map(KeyPrefix.text) + (self.takesOthers ? ["*"] : []) }
}
