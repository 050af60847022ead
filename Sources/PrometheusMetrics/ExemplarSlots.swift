import Synchronization

/// The newest example of each bucket of a histogram, replaced at most once per ``intervalNanoseconds``.
///
/// Any thread may offer and read at any time, and no call blocks. A slot is protected by its version, which is odd
/// while it is being changed: a writer that finds it odd gives up, and a reader checks afterwards that the version is
/// unchanged. So an offer costs one load of a word that changes once per second, and sometimes six stores.
///
/// `@unchecked Sendable`, `@safe`: the words are atomics at an address that lives as long as this object, and every
/// index is checked.
@safe
final class ExemplarSlots: @unchecked Sendable {
    static let intervalNanoseconds: UInt64 = 1_000_000_000

    /// The words of a slot; each slot has its own cache line.
    private enum Word: Int {
        case version, at, traceHigh, traceLow, value
    }
    private static let wordsPerSlot = 8
    /// Attempts to read a slot that changes meanwhile, before it is skipped.
    private static let readAttempts = 8

    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let count: Int

    init(count: Int) {
        self.count = count
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: count * Self.wordsPerSlot * MemoryLayout<Atomic<UInt64>>.stride,
            alignment: Self.wordsPerSlot * MemoryLayout<Atomic<UInt64>>.stride
        )
        unsafe self.words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count * Self.wordsPerSlot)
        for index in 0..<count * Self.wordsPerSlot {
            unsafe (self.words + index).initialize(to: Atomic<UInt64>(0))
        }
    }

    deinit {
        unsafe UnsafeMutableRawPointer(self.words).deallocate()
    }

    /// Stores the exemplar for a bucket, unless the bucket has a recent one or another thread is storing one.
    func offer(_ exemplar: Exemplar, bucket: Int) {
        let last = unsafe self.word(bucket, .at).pointee.load(ordering: .relaxed)
        // A clock that was set back must not block exemplars until it has caught up.
        guard exemplar.trace.atNanoseconds >= last &+ Self.intervalNanoseconds || exemplar.trace.atNanoseconds < last
        else { return }
        let version = unsafe self.word(bucket, .version).pointee.load(ordering: .relaxed)
        guard version & 1 == 0,
            unsafe self.word(bucket, .version).pointee.compareExchange(
                expected: version, desired: version &+ 1, ordering: .acquiring
            ).exchanged
        else { return }
        // No reader may see a word of the new exemplar together with the old version.
        atomicMemoryFence(ordering: .releasing)
        unsafe self.word(bucket, .at).pointee.store(exemplar.trace.atNanoseconds, ordering: .relaxed)
        unsafe self.word(bucket, .traceHigh).pointee.store(exemplar.trace.traceHigh, ordering: .relaxed)
        unsafe self.word(bucket, .traceLow).pointee.store(exemplar.trace.traceLow, ordering: .relaxed)
        unsafe self.word(bucket, .value).pointee.store(exemplar.value.bitPattern, ordering: .relaxed)
        unsafe self.word(bucket, .version).pointee.store(version &+ 2, ordering: .releasing)
    }

    /// The exemplar of a bucket; nil if it has none, or changes all the time.
    func read(bucket: Int) -> Exemplar? {
        for _ in 0..<Self.readAttempts {
            let version = unsafe self.word(bucket, .version).pointee.load(ordering: .acquiring)
            if version == 0 { return nil }
            if version & 1 == 1 { continue }
            let trace = unsafe TraceMark(
                traceHigh: self.word(bucket, .traceHigh).pointee.load(ordering: .relaxed),
                traceLow: self.word(bucket, .traceLow).pointee.load(ordering: .relaxed),
                atNanoseconds: self.word(bucket, .at).pointee.load(ordering: .relaxed)
            )
            let value = unsafe self.word(bucket, .value).pointee.load(ordering: .relaxed)
            atomicMemoryFence(ordering: .acquiring)
            if unsafe self.word(bucket, .version).pointee.load(ordering: .relaxed) == version {
                return Exemplar(trace: trace, value: Double(bitPattern: value))
            }
        }
        return nil
    }

    private func word(_ bucket: Int, _ word: Word) -> UnsafeMutablePointer<Atomic<UInt64>> {
        precondition(bucket >= 0 && bucket < self.count)
        return unsafe self.words + (bucket &* Self.wordsPerSlot &+ word.rawValue)
    }
}
