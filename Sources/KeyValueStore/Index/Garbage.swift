/// What the index has replaced or removed, until no reader can see it any more.
enum Garbage {
    case node(Node)
    case entry(Entry)
    case separator(Separator)

    var allocatedBytes: Int {
        switch self {
        case .node(let node): node.allocatedBytes
        case .entry(let entry): entry.allocatedBytes
        case .separator(let separator): separator.allocatedBytes
        }
    }

    func free() {
        switch self {
        case .node(let node): node.free()
        case .entry(let entry): entry.free()
        case .separator(let separator): separator.free()
        }
    }
}
