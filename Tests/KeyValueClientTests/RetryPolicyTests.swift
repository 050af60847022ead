import TestSupport
import Testing

@testable import KeyValueClient

@Suite("Retry policy", .timeLimit(.minutes(1)))
struct RetryPolicyTests {
    private static let second: UInt64 = 1_000_000_000

    private static func failure(_ applied: KeyValueError.Applied?) -> KeyValueError {
        KeyValueError(status: 503, code: "overloaded", detail: "", applied: applied)
    }

    @Test func `a write is repeated only if nothing was applied or the service recognises it`() {
        for (applied, isRecognised, isRepeated) in [
            (KeyValueError.Applied?.none, false, true), (.no, false, true), (.unknown, false, false),
            (.yes, false, false), (.unknown, true, true), (.no, true, true),
        ] {
            var policy = RetryPolicy(maxAttempts: 9)
            let pause = policy.pause(
                after: Self.failure(applied), hasKey: isRecognised, elapsedNanoseconds: 0,
                remainingNanoseconds: Self.second, jitter: 0)
            #expect((pause != nil) == isRepeated, "\(String(describing: applied)) \(isRecognised)")
        }
    }

    @Test func `a key is relied on for half of the time that the service keeps it`() {
        for (seconds, isRepeated) in [(299, true), (300, false), (100_000, false)] as [(UInt64, Bool)] {
            var policy = RetryPolicy(maxAttempts: 9)
            let pause = policy.pause(
                after: Self.failure(.unknown), hasKey: true, elapsedNanoseconds: seconds * Self.second,
                remainingNanoseconds: .max, jitter: 0)
            #expect((pause != nil) == isRepeated, "\(seconds)")
        }
    }

    @Test func `pauses double up to a limit, each with its jitter`() {
        for (jitter, factor) in [(0.0, 0.5), (1.0, 1.5)] {
            var policy = RetryPolicy(maxAttempts: .max)
            var pauses: [Double] = []
            for _ in 0..<9 {
                let pause = policy.pause(
                    after: Self.failure(nil), hasKey: false, elapsedNanoseconds: 0, remainingNanoseconds: .max,
                    jitter: jitter)
                pauses.append(Double(pause ?? 0) / 1e6 / factor)
            }
            #expect(pauses == [50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000])
        }
    }

    @Test func `there is no pause beyond the deadline, and no attempt beyond the limit`() {
        var policy = RetryPolicy(maxAttempts: 3)
        var failure = Self.failure(nil)
        #expect(
            policy.pause(
                after: failure, hasKey: false, elapsedNanoseconds: 0, remainingNanoseconds: 20_000_000, jitter: 0)
                == nil)
        failure.retryAfterSeconds = 2
        #expect(
            policy.pause(
                after: failure, hasKey: false, elapsedNanoseconds: 0, remainingNanoseconds: 3 * Self.second, jitter: 0)
                == 2 * Self.second)
        #expect(
            policy.pause(after: failure, hasKey: false, elapsedNanoseconds: 0, remainingNanoseconds: .max, jitter: 0)
                == nil)
    }
}
