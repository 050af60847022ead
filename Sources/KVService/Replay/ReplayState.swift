import JSON
import Synchronization
import SystemSupport
import TransactionLog

/// Progress of the replay. Written by the thread that opens the log, read by any.
final class ReplayState: Sendable {
    enum Phase: String, Sendable {
        case waiting
        case inProgress = "in_progress"
        case done
        case failed
    }

    private struct Guarded {
        var phase = Phase.waiting
        var progress = ReplayProgress(bytesRead: 0, bytesTotal: 0, transactions: 0)
        var began: UInt64 = 0
        var ended: UInt64 = 0
    }

    private let guarded = Mutex(Guarded())

    func begin() {
        self.guarded.withLock {
            $0.phase = .inProgress
            $0.began = MonotonicClock.nanoseconds()
        }
    }

    func update(_ progress: ReplayProgress) { self.guarded.withLock { $0.progress = progress } }

    func end(_ phase: Phase) {
        self.guarded.withLock {
            $0.phase = phase
            $0.ended = MonotonicClock.nanoseconds()
        }
    }

    var phase: Phase { self.guarded.withLock { $0.phase } }
    var progress: ReplayProgress { self.guarded.withLock { $0.progress } }

    var durationSeconds: Double {
        self.guarded.withLock {
            if $0.began == 0 { return 0 }
            let end = $0.ended == 0 ? MonotonicClock.nanoseconds() : $0.ended
            return Double(end - $0.began) / 1e9
        }
    }

    /// 1 after the replay, also for an empty log.
    var ratio: Double {
        self.guarded.withLock {
            if $0.phase == .done { return 1 }
            return $0.progress.bytesTotal == 0 ? 0 : Double($0.progress.bytesRead) / Double($0.progress.bytesTotal)
        }
    }

    /// The rate so far, or of the whole replay; nil while nothing was read.
    var bytesPerSecond: Double? {
        let (read, elapsed) = (self.progress.bytesRead, self.durationSeconds)
        return read > 0 && elapsed > 0 ? Double(read) / elapsed : nil
    }

    /// Estimated seconds remaining at the rate so far; nil while unknown.
    var etaSeconds: Double? {
        let (phase, ratio, elapsed) = (self.phase, self.ratio, self.durationSeconds)
        if phase == .done { return 0 }
        return phase == .inProgress && ratio > 0 ? elapsed * (1 - ratio) / ratio : nil
    }

    /// Appends the member `replay` of `/readyz`.
    func writeReadiness(to document: inout JSONWriter) {
        let progress = self.progress
        document.member(
            "replay",
            object: { replay in
                replay.member("bytes_read", progress.bytesRead)
                replay.member("bytes_total", progress.bytesTotal)
                replay.member("transactions", progress.transactions)
                replay.member("progress_ratio", progress.ratio)
                replay.member("bytes_per_second", self.bytesPerSecond)
                replay.member("eta_seconds", self.etaSeconds)
            })
    }
}

extension ReplayProgress {
    /// The part that is done, from 0 to 1; 1 of an empty log.
    var ratio: Double { self.bytesTotal == 0 ? 1 : min(1, Double(self.bytesRead) / Double(self.bytesTotal)) }
}
