/// A store behind kv-service: the one in this process, or one that other machines keep. Any thread.
public protocol StorageEngine: AnyObject, Sendable {
    /// The newest changes, for those who watch; nil if none are kept.
    var history: ChangeHistory? { get }

    /// Makes one event loop's access to the store.
    ///
    /// - Parameters:
    ///   - wake: called on any thread when completions wait; the owner then calls
    ///     ``StorageSession/deliverCompletions()`` on its loop.
    ///   - endOfTurn: called on the loop with the first request of a turn that waits for ``StorageSession/flush()``; the
    ///     owner then calls that after all available requests have been read, so that they go together.
    func makeSession(wake: @escaping @Sendable () -> Void, endOfTurn: @escaping () -> Void) -> any StorageSession

    /// Calls `completion` on any thread, possibly before the call returns, once it is known what is with a revision.
    func catchUp(to revision: UInt64, _ completion: @escaping @Sendable (CatchUp) -> Void)

    /// Completes what was flushed. Blocks; not for event loops.
    func close()
}

public enum CatchUp: Sendable, Equatable {
    /// The history has all that was committed up to it.
    case reached
    /// Nothing has it yet.
    case future
    /// It cannot be found out now.
    case failed
}

/// Why a store beyond this process has not carried out a request, or has not answered it.
public enum StoreFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// It cannot be reached, or nobody in it may decide. Nothing was written.
    case unavailable(String)
    /// It has no space. Nothing was written.
    case full(String)
    /// The request has more bytes, or more operations, than it takes. Nothing was written.
    case tooLarge(String)
    case tooManyOperations(String)
    /// A write was passed on and not answered: it may have been carried out.
    case unknown(String)

    public var description: String {
        switch self {
        case .unavailable(let text), .full(let text), .tooLarge(let text), .tooManyOperations(let text),
            .unknown(let text):
            text
        }
    }
}
