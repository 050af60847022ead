/// Which keys a listing has, in the order of their bytes.
public enum KeyRange: Sendable, Equatable {
    case all
    /// The keys that begin with these bytes.
    case prefix([UInt8])
    /// The keys from `start` on, before `end`; nil: no limit on this side.
    case between(start: [UInt8]?, end: [UInt8]?)

    /// The keys that begin with this text.
    public static func prefix(_ text: String) -> KeyRange { .prefix(Array(text.utf8)) }

    var parameters: [(String, [UInt8])] {
        switch self {
        case .all: []
        case .prefix(let prefix): [("prefix", prefix)]
        case .between(let start, let end):
            [start.map { ("start", $0) }, end.map { ("end", $0) }].compactMap { $0 }
        }
    }
}
