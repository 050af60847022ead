public import DashboardModel
import Synchronization
import SystemSupport

/// Plays a recording at its original speed, or at another. Any thread may call; polls are delivered in order.
public final class RecordingPlayer: Sendable {
    public enum Event: Sendable {
        case poll(PollResult)
        /// Seconds from the start.
        case position(Double)
        /// The next polls are older than the last ones: discard everything.
        case restart(now: Double, wallTime: Double)
        case ended
        /// A line that cannot be read; reported once each.
        case damaged(String)
    }

    /// Number of polls that are replayed after a jump: as many as the graphs can show.
    private static let polls = History.capacity

    private struct Wish {
        var speed: Double
        var seek: Double?
        var pause: Task<Void, Never>?
        /// The damaged polls that were reported.
        var damaged: Set<Int> = []
    }

    private let file: RecordingFile
    private let wish: Mutex<Wish>
    private let deliver: @Sendable (Event) -> Void

    public init(file: RecordingFile, speed: Double, deliver: @escaping @Sendable (Event) -> Void) {
        self.file = file
        self.wish = Mutex(Wish(speed: speed))
        self.deliver = deliver
    }

    /// 0 pauses at the current position.
    public func setSpeed(_ speed: Double) {
        self.wish.withLock { wish in
            wish.speed = speed
            wish.pause?.cancel()
        }
    }

    /// Moves by this many seconds forward or, if negative, back.
    public func seek(seconds: Double) {
        self.wish.withLock { wish in
            wish.seek = (wish.seek ?? 0) + seconds
            wish.pause?.cancel()
        }
    }

    /// Plays from `position`, in seconds from the start, until the task is cancelled.
    public func play(from position: Double) async {
        var decoder = RecordingDecoder()
        var position = position
        var next = self.jump(to: position, &decoder)
        var last = MonotonicClock.nanoseconds()
        var hasEnded = false
        while !Task.isCancelled {
            let (speed, seek) = self.wish.withLock { wish in
                defer { wish.seek = nil }
                return (wish.speed, wish.seek)
            }
            let now = MonotonicClock.nanoseconds()
            position += Double(now - last) / 1e9 * speed
            last = now
            if let seek {
                position = min(max(position + seek, 0), self.file.duration)
                next = self.jump(to: position, &decoder)
                hasEnded = false
            }
            while next < self.file.count, self.file.time(next) - self.file.begin <= position {
                self.deliver(next, &decoder)
                next += 1
            }
            position = min(position, self.file.duration)
            self.deliver(.position(position))
            if next == self.file.count, !hasEnded {
                hasEnded = true
                self.deliver(.ended)
            }
            await self.pause(speed: speed, position: position, next: next)
        }
    }

    /// Until the next poll, at most a quarter of a second, or until a command arrives.
    private func pause(speed: Double, position: Double, next: Int) async {
        var seconds = 0.25
        if speed > 0, next < self.file.count {
            seconds = min(seconds, max(0.001, (self.file.time(next) - self.file.begin - position) / speed))
        } else {
            seconds = 60
        }
        let pause = Task { [seconds] in await Pause.wait(seconds: seconds) }
        let isWished = self.wish.withLock { wish in
            wish.pause = pause
            return wish.seek != nil || wish.speed != speed
        }
        if isWished { pause.cancel() }
        await withTaskCancellationHandler {
            await pause.value
        } onCancel: {
            pause.cancel()
        }
    }

    /// Restarts with the polls up to `position` that the screen can show. Returns the next poll to play.
    private func jump(to position: Double, _ decoder: inout RecordingDecoder) -> Int {
        let next = self.file.index(after: self.file.begin + position)
        let first = max(0, next - Self.polls * self.file.header.targets.count)
        decoder = RecordingDecoder()
        let wallTime = self.file.header.startedAt
        self.deliver(.restart(now: self.file.time(first), wallTime: wallTime))
        for index in first..<next { self.deliver(index, &decoder) }
        return next
    }

    private func deliver(_ index: Int, _ decoder: inout RecordingDecoder) {
        do throws(RecordingError) {
            guard let poll = try self.file.poll(index, &decoder) else { return }
            self.deliver(.poll(PollResult(reading: poll)))
        } catch {
            guard self.wish.withLock({ $0.damaged.insert(index).inserted }) else { return }
            self.deliver(.damaged("\(error)"))
        }
    }
}
