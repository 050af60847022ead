import SystemSupport

/// The spans that wait for the exporter: bounded, filled by event loops, read by one thread.
///
/// A request's spans are added together or not at all, so that a full queue does not tear this service's part of a
/// trace. The lock is held to append and to swap arrays, never across a system call.
///
/// `@unchecked Sendable`: everything mutable is guarded by `lock`.
final class SpanQueue: @unchecked Sendable {
    private enum Consumer {
        /// Until any span arrives.
        case asleep
        /// Until the pause is over or a batch waits.
        case gathering
        case awake
        case ended
    }

    /// Maximum number of spans, including those that are being sent.
    let capacity: Int
    private let batchSpans: Int
    private let gatherNanoseconds: UInt64
    private let lock = ThreadLock()

    // Guarded by `lock`.
    private var pending: [RequestSpans] = []
    private var pendingSpans = 0
    private var takenSpans = 0
    private var consumer = Consumer.awake
    /// Monotonic nanoseconds; nil while the service runs.
    private var stopDeadline: UInt64?

    init(capacity: Int, batchSpans: Int, gatherNanoseconds: UInt64) {
        self.capacity = capacity
        self.batchSpans = batchSpans
        self.gatherNanoseconds = gatherNanoseconds
    }

    // MARK: Event loops

    /// - Returns: false if there is no space, or the service has stopped: the spans are lost.
    func append(_ request: RequestSpans) -> Bool {
        let count = request.count
        self.lock.lock()
        guard self.stopDeadline == nil, self.pendingSpans + self.takenSpans + count <= self.capacity else {
            self.lock.unlock()
            return false
        }
        self.pending.append(request)
        self.pendingSpans += count
        let wakes =
            switch self.consumer {
            case .asleep: true
            case .gathering: self.pendingSpans >= self.batchSpans
            case .awake, .ended: false
            }
        // Until the thread has the lock again, no other thread needs to wake it.
        if wakes { self.consumer = .awake }
        self.lock.unlock()
        if wakes { self.lock.broadcast() }
        return true
    }

    /// Waiting spans, including those that are being sent.
    var count: Int {
        self.lock.lock()
        defer { self.lock.unlock() }
        return self.pendingSpans + self.takenSpans
    }

    // MARK: The exporter's thread

    /// Waits for spans, waits some time for more, and takes all.
    ///
    /// - Returns: nil if the service has stopped and nothing waits.
    func take() -> [RequestSpans]? {
        self.lock.lock()
        defer { self.lock.unlock() }
        while self.pending.isEmpty, self.stopDeadline == nil {
            self.consumer = .asleep
            self.lock.wait()
        }
        let end = MonotonicClock.nanoseconds() + self.gatherNanoseconds
        while self.pendingSpans < self.batchSpans, self.stopDeadline == nil {
            self.consumer = .gathering
            guard self.lock.wait(untilMonotonicNanoseconds: end) else { break }
        }
        guard !self.pending.isEmpty else {
            self.consumer = .ended
            self.lock.broadcast()
            return nil
        }
        self.consumer = .awake
        let taken = self.pending
        self.pending = []
        self.takenSpans += self.pendingSpans
        self.pendingSpans = 0
        return taken
    }

    /// This many of the taken spans were sent or dropped.
    func done(_ spans: Int) {
        self.lock.lock()
        self.takenSpans -= spans
        self.lock.unlock()
    }

    /// Sleeps until a time or the stop of the service.
    func pause(untilMonotonicNanoseconds end: UInt64) {
        self.lock.lock()
        defer { self.lock.unlock() }
        while self.stopDeadline == nil {
            guard self.lock.wait(untilMonotonicNanoseconds: end) else { return }
        }
    }

    // MARK: Stopping

    /// Deadline for sending the last spans, in monotonic nanoseconds; nil while the service runs.
    var deadline: UInt64? {
        self.lock.lock()
        defer { self.lock.unlock() }
        return self.stopDeadline
    }

    /// Accepts nothing more, and waits until the waiting spans are sent or the deadline has passed. Blocks.
    func stop(deadline: UInt64) {
        self.lock.lock()
        defer { self.lock.unlock() }
        self.stopDeadline = deadline
        self.lock.broadcast()
        while self.consumer != .ended {
            guard self.lock.wait(untilMonotonicNanoseconds: deadline) else { return }
        }
    }
}
