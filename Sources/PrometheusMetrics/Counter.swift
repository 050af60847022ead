/// A number that only increases, from 0 at the start of the process. Any thread may count at any time; no call blocks.
public final class Counter: Sendable {
    private let table = AtomicTable(columnCount: 1)

    init() {}

    /// - Parameter amount: 0 and less are ignored, because a counter never decreases.
    public func increment(by amount: Int = 1) {
        guard amount > 0 else { return }
        self.table.add(UInt64(amount), row: self.table.currentRow, column: 0)
    }

    public var value: UInt64 {
        self.table.sum(column: 0)
    }
}
