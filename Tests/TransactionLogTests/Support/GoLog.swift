/// The records of the Go system's log, as it writes them: `fmt.Fprintf(w, "%s %d %d %s%s\n", ...)`.
enum GoLog {
    static func record(_ change: Change) -> [UInt8] {
        switch change {
        case .set(let key, let value): Array("set \(key.count) \(value.count) ".utf8) + key + value + [0x0A]
        case .setExpiring, .expire, .receipt: preconditionFailure("the Go system has none of these")
        case .delete(let key): Array("delete \(key.count) 0 ".utf8) + key + [0x0A]
        }
    }

    static func encode(_ changes: [Change]) -> [UInt8] { changes.flatMap { Self.record($0) } }
}
