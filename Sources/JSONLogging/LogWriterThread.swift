import Glibc
import Synchronization
import SystemSupport

/// The buffer of a ``LogOutput``, and the thread that writes it.
///
/// The thread and the submitters alternate between two arrays: they append to `pending` while it writes the other.
///
///     asleep ──line──▶ writing ──▶ gathering (some ms, or until much waits) ──lines──▶ writing …
///        ▲                              │
///        └──────── nothing came ────────┘
///
/// Only a line that finds the thread asleep, or completes a large batch, costs its submitter the system call that wakes
/// the thread.
///
/// `@unchecked Sendable`: everything mutable is guarded by `lock`, the counters are atomics.
final class LogWriterThread: @unchecked Sendable {
    private struct Batch {
        var bytes: [UInt8] = []
        /// The number of lines in `bytes`.
        var lines = 0
    }

    private enum Activity {
        /// Until any line arrives.
        case asleep
        /// Until the pause is over or a large batch waits.
        case gathering
        case writing
        case stopped
    }

    /// Bytes that end a pause early.
    private static let largeBatchBytes = 256 << 10
    private static let pauseNanoseconds: UInt64 = 5_000_000
    /// Capacity that is kept between batches; a larger buffer of a burst is freed.
    private static let keptCapacityBytes = 1 << 20

    let linesDropped = Atomic<UInt64>(0)
    let linesWritten = Atomic<UInt64>(0)

    private let capacityBytes: Int
    private let lock = ThreadLock()

    // Guarded by `lock`.
    private var pending = Batch()
    private var writingBytes = 0
    private var activity = Activity.writing
    private var stopRequested = false

    // Used by the thread only.
    private var sink: DescriptorSink

    init(sink: consuming sending DescriptorSink, capacityBytes: Int) {
        self.capacityBytes = capacityBytes
        self.sink = sink
    }

    func start() {
        DedicatedThread.startOrExit(name: "log-lines") { self.run() }
    }

    func submit(_ lines: [UInt8], count: Int) {
        self.lock.lock()
        let room = self.stopRequested ? 0 : self.capacityBytes - self.pending.bytes.count - self.writingBytes
        if lines.count <= room {
            self.pending.bytes.append(contentsOf: lines)
            self.pending.lines += count
        } else {
            // The first lines that fit.
            let end = lines[..<max(room, 0)].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            let kept = DescriptorSink.lines(in: lines[..<end])
            self.linesDropped.wrappingAdd(UInt64(count - kept), ordering: .relaxed)
            self.pending.bytes.append(contentsOf: lines[..<end])
            self.pending.lines += kept
        }
        let wakes =
            switch self.activity {
            case .asleep: !self.pending.bytes.isEmpty
            case .gathering: self.pending.bytes.count >= Self.largeBatchBytes
            case .writing, .stopped: false
            }
        if wakes {
            // Until the thread has the lock again, further lines need not wake it.
            self.activity = .writing
        }
        self.lock.unlock()
        if wakes {
            self.lock.broadcast()
        }
    }

    func requestStop() {
        self.lock.lock()
        self.stopRequested = true
        self.lock.unlock()
        self.lock.broadcast()
    }

    /// Returns whether the thread ended within the time.
    func waitUntilStopped(timeoutSeconds: Double) -> Bool {
        let now = MonotonicClock.nanoseconds()
        let deadline = now + UInt64(min(max(timeoutSeconds, 0), 1e9) * 1e9)
        self.lock.lock()
        defer { self.lock.unlock() }
        while self.activity != .stopped {
            guard self.lock.wait(untilMonotonicNanoseconds: deadline) else {
                return self.activity == .stopped
            }
        }
        return true
    }

    private func run() {
        var batch = Batch()
        while self.takeBatch(&batch) {
            let result = self.sink.write(batch.bytes, lines: batch.lines)
            self.linesWritten.wrappingAdd(UInt64(result.linesWritten), ordering: .relaxed)
            self.linesDropped.wrappingAdd(UInt64(result.linesDropped), ordering: .relaxed)
            batch.lines = 0
            batch.bytes.removeAll(keepingCapacity: batch.bytes.capacity <= Self.keptCapacityBytes)
        }
    }

    /// Waits for lines and swaps them with the empty `batch`. False if the thread must end.
    private func takeBatch(_ batch: inout Batch) -> Bool {
        self.lock.lock()
        defer { self.lock.unlock() }
        self.writingBytes = 0
        self.gather()
        while self.pending.bytes.isEmpty {
            if self.stopRequested {
                self.activity = .stopped
                self.lock.broadcast()
                return false
            }
            self.activity = .asleep
            self.lock.wait()
        }
        swap(&self.pending, &batch)
        self.writingBytes = batch.bytes.count
        self.activity = .writing
        return true
    }

    /// Waits some time for more lines after a write. Called with the lock held.
    private func gather() {
        let end = MonotonicClock.nanoseconds() + Self.pauseNanoseconds
        self.activity = .gathering
        while !self.stopRequested && self.pending.bytes.count < Self.largeBatchBytes {
            guard self.lock.wait(untilMonotonicNanoseconds: end) else { return }
        }
    }
}
