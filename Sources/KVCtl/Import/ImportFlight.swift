import KeyValueClient
import Synchronization
import SystemSupport

/// The sets of an import that are under way: a limited number at a time, and never two of the same key, whose order
/// would be open then. One thread submits; the sets end on any thread.
final class ImportFlight: Sendable {
    /// Up to here, everything is applied.
    struct Place: Equatable, Sendable {
        /// Lines, blank ones included.
        var line = 0
        /// Bytes of these lines.
        var offset: UInt64 = 0
    }

    struct Failure: Sendable {
        let line: Int
        let error: KeyValueError
    }

    private struct State {
        var keys: Set<[UInt8]> = []
        /// In the order of the lines; applied ones stay while an earlier one is open.
        var window: [(place: Place, isApplied: Bool)] = []
        /// Number of the first in the window, counted from the beginning.
        var first = 0
        var applied = Place()
        var records = 0
        var failures: [Failure] = []
    }

    /// Lines in the window for each set under way: those behind a slow one go on, but not without end.
    private static let windowFactor = 16

    private let parallel: Int
    private let set: @Sendable (ImportedRecord) async throws -> Void
    private let state: Mutex<State>
    private let hasEnded = MonotonicSemaphore()

    /// - Parameters:
    ///   - parallel: sets at a time.
    ///   - begin: where an earlier import has come to.
    init(parallel: Int, from begin: Place, set: @escaping @Sendable (ImportedRecord) async throws -> Void) {
        self.parallel = parallel
        self.set = set
        var state = State()
        state.applied = begin
        self.state = Mutex(state)
    }

    /// Everything up to the first line that is not known to be applied.
    var applied: Place { self.state.withLock { $0.applied } }

    /// Records that are applied.
    var records: Int { self.state.withLock { $0.records } }

    /// The first failure by its line; one whose outcome is unknown comes before the others.
    var failure: Failure? {
        self.state.withLock { state in
            state.failures.min { one, other in
                let (isUnknown, otherIsUnknown) = (one.error.applied == .unknown, other.error.applied == .unknown)
                return isUnknown == otherIsUnknown ? one.line < other.line : isUnknown
            }
        }
    }

    /// Begins to set a record, as soon as there is room. Blocks the thread until then.
    ///
    /// - Parameters:
    ///   - place: behind its line.
    ///   - whileWaiting: called now and then.
    /// - Returns: false if a set has failed: then this one was not begun.
    func submit(_ record: ImportedRecord, _ place: Place, whileWaiting: () throws -> Void) throws -> Bool {
        while true {
            let number: Int?? = self.state.withLock { state in
                if !state.failures.isEmpty { return .some(nil) }
                let isFull = state.keys.count >= self.parallel
                if isFull || state.window.count >= self.parallel * Self.windowFactor { return nil }
                if !state.keys.insert(record.key).inserted { return nil }
                state.window.append((place, false))
                return state.first + state.window.count - 1
            }
            guard let number else {
                try whileWaiting()
                _ = self.hasEnded.wait(forNanoseconds: 100_000_000)
                continue
            }
            guard let number else { return false }
            Task { await self.apply(record, number, place) }
            return true
        }
    }

    /// Waits until no set is under way.
    func finish(whileWaiting: () throws -> Void) rethrows {
        while self.state.withLock({ !$0.keys.isEmpty }) {
            try whileWaiting()
            _ = self.hasEnded.wait(forNanoseconds: 100_000_000)
        }
    }

    private func apply(_ record: ImportedRecord, _ number: Int, _ place: Place) async {
        var failure: KeyValueError?
        do { try await self.set(record) } catch {
            guard let error = error as? KeyValueError else { preconditionFailure("no set is cancelled: \(error)") }
            failure = error
        }
        self.state.withLock { state in
            state.keys.remove(record.key)
            if let failure {
                state.failures.append(Failure(line: place.line, error: failure))
                return
            }
            state.records += 1
            state.window[number - state.first].isApplied = true
            let applied = state.window.prefix { $0.isApplied }
            guard let last = applied.last else { return }
            state.applied = last.place
            state.first += applied.count
            state.window.removeFirst(applied.count)
        }
        self.hasEnded.signal()
    }
}
