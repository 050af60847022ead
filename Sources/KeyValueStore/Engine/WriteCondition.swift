/// What must be true of a key for a write of it to be carried out. The writer thread compares it with the state that all
/// earlier writes of the log leave behind, also those that are not durable yet.
public enum WriteCondition: BitwiseCopyable, Sendable, Equatable {
    case none
    case exists
    case absent
    /// The key exists, and this is the revision of the change that set its value.
    case revision(UInt64)

    /// - Parameter revision: that of the key; nil if it does not exist.
    public func isMet(by revision: UInt64?) -> Bool {
        switch self {
        case .none: true
        case .exists: revision != nil
        case .absent: revision == nil
        case .revision(let wanted): revision == wanted
        }
    }
}
