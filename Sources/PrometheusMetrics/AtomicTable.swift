import Glibc
import Synchronization

/// Rows of atomic 64-bit words for numbers that several threads change concurrently.
///
/// Each row has its own cache lines, and each thread a row, so event loops that count the same thing do not compete for
/// a cache line. A value is the sum over the rows. Threads without a row of their own share some; that costs time, but no
/// counts, because every change of a shared row is atomic.
///
/// Operations are relaxed, because the words are statistics and nothing else is published through them; except
/// ``publishOne(row:column:)``, after which its reader sees earlier changes of the same thread.
///
/// `@unchecked Sendable`, `@safe`: the words are atomics at an address that lives as long as this object, and every
/// index is checked.
@safe
final class AtomicTable: @unchecked Sendable {
    /// Two cache lines, because processors fetch them in pairs.
    private static let rowAlignmentBytes = 128

    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let wordsPerRow: Int
    private let columnCount: Int
    private let rowCount = TableRow.count
    /// A copy, because each access of a global checks whether it has been initialised.
    private let rowKey = TableRow.key

    init(columnCount: Int) {
        let wordsPerLine = Self.rowAlignmentBytes / MemoryLayout<UInt64>.stride
        self.columnCount = columnCount
        self.wordsPerRow = (columnCount + wordsPerLine - 1) / wordsPerLine * wordsPerLine
        let count = self.wordsPerRow * self.rowCount
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: count * MemoryLayout<Atomic<UInt64>>.stride,
            alignment: Self.rowAlignmentBytes
        )
        unsafe self.words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
        for index in 0..<count {
            unsafe (self.words + index).initialize(to: Atomic<UInt64>(0))
        }
    }

    deinit {
        unsafe UnsafeMutableRawPointer(self.words).deallocate()
    }

    /// The row of the calling thread.
    var currentRow: TableRow { TableRow.current(self.rowKey) }

    func add(_ value: UInt64, row: TableRow, column: Int) {
        let word = unsafe self.word(row, column)
        if row.isOwned {
            unsafe word.pointee.store(word.pointee.load(ordering: .relaxed) &+ value, ordering: .relaxed)
        } else {
            unsafe word.pointee.wrappingAdd(value, ordering: .relaxed)
        }
    }

    /// Adds 1 after all earlier changes of this thread in the table.
    func publishOne(row: TableRow, column: Int) {
        let word = unsafe self.word(row, column)
        if row.isOwned {
            unsafe word.pointee.store(word.pointee.load(ordering: .relaxed) &+ 1, ordering: .releasing)
        } else {
            unsafe word.pointee.wrappingAdd(1, ordering: .releasing)
        }
    }

    /// Adds to a word that contains the bits of a Double.
    func addDouble(_ value: Double, row: TableRow, column: Int) {
        let word = unsafe self.word(row, column)
        var current = unsafe word.pointee.load(ordering: .relaxed)
        if row.isOwned {
            unsafe word.pointee.store((Double(bitPattern: current) + value).bitPattern, ordering: .relaxed)
            return
        }
        while true {
            let sum = (Double(bitPattern: current) + value).bitPattern
            let (exchanged, original) = unsafe word.pointee.weakCompareExchange(
                expected: current,
                desired: sum,
                ordering: .relaxed
            )
            if exchanged { return }
            current = original
        }
    }

    /// Raises a word that contains the bits of a Double of 0 or more.
    func raiseDouble(to value: Double, row: TableRow, column: Int) {
        let word = unsafe self.word(row, column)
        var current = unsafe word.pointee.load(ordering: .relaxed)
        while value > Double(bitPattern: current) {
            let (exchanged, original) = unsafe word.pointee.weakCompareExchange(
                expected: current,
                desired: value.bitPattern,
                ordering: .relaxed
            )
            if exchanged { return }
            current = original
        }
    }

    func sum(column: Int) -> UInt64 {
        self.reduce(column: column, UInt64(0)) { $0 &+ $1 }
    }

    /// Like ``sum(column:)``; changes made before the ones were published can be read after this.
    func sumPublished(column: Int) -> UInt64 {
        var sum: UInt64 = 0
        for row in 0..<self.rowCount {
            unsafe sum &+= self.word(TableRow(index: row), column).pointee.load(ordering: .acquiring)
        }
        return sum
    }

    func sumDouble(column: Int) -> Double {
        self.reduce(column: column, 0.0) { $0 + Double(bitPattern: $1) }
    }

    /// The highest of the column's Doubles since the last call; the column is 0 afterwards.
    func takeMaximumDouble(column: Int) -> Double {
        var maximum = 0.0
        for row in 0..<self.rowCount {
            let bits = unsafe self.word(TableRow(index: row), column).pointee.exchange(0, ordering: .relaxed)
            maximum = max(maximum, Double(bitPattern: bits))
        }
        return maximum
    }

    private func reduce<Result>(column: Int, _ initial: Result, _ next: (Result, UInt64) -> Result) -> Result {
        var result = initial
        for row in 0..<self.rowCount {
            result = unsafe next(result, self.word(TableRow(index: row), column).pointee.load(ordering: .relaxed))
        }
        return result
    }

    private func word(_ row: TableRow, _ column: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        precondition(row.index >= 0 && row.index < self.rowCount && column >= 0 && column < self.columnCount)
        return unsafe self.words + (row.index &* self.wordsPerRow &+ column)
    }
}
