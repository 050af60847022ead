import EtcdAPI
import FoundationEssentials
import KeyValueStore
import SwiftProtobuf
import Synchronization
import SystemSupport
import TransactionLog

/// Passes writes on to etcd, one batch after the other, so that they take effect in the order in which they were added.
final class EtcdWriter: Sendable {
    /// How long a batch is tried. A client that waits longer learns nothing more: an election takes a second or two.
    private static let limit = Duration.seconds(4)
    /// What has waited for longer in the queue is not sent. Nanoseconds.
    private static let longestWait: UInt64 = 4_000_000_000
    /// How many batches in a row may find their leases gone.
    private static let leaseAttempts = 3

    let queue = WaitingQueue<WriteRequest>(limitBytes: 64 << 20)
    let leases = EtcdLeases()
    let figures: EtcdFigures
    private let cluster: EtcdCluster
    private let keyspace: EtcdKeyspace
    private let clock: StoreClock

    init(_ cluster: EtcdCluster, _ keyspace: EtcdKeyspace, clock: StoreClock, figures: EtcdFigures) {
        self.cluster = cluster
        self.keyspace = keyspace
        self.clock = clock
        self.figures = figures
    }

    /// Until the queue is closed and everything in it was answered.
    func run() async {
        while let requests = await self.queue.next({ WriteBatch.prefix($0) }) {
            self.clock.follow()
            await self.carryOut(requests)
        }
    }

    private func carryOut(_ requests: [WriteRequest]) async {
        let takenAt = MonotonicClock.nanoseconds()
        var attempt = Attempt(takenAt: takenAt, deadline: .now + Self.limit, count: requests.count)
        let (fresh, stale) = requests.partitioned { takenAt - min($0.submittedAt, takenAt) <= Self.longestWait }
        if !stale.isEmpty {
            let failure = StoreFailure.unavailable("the writes before this one took too long")
            self.answer(stale, .init(outcome: .failed(failure)), attempt)
        }
        if !fresh.isEmpty { await self.carryOut(fresh, &attempt) }
    }

    private func carryOut(_ requests: [WriteRequest], _ attempt: inout Attempt) async {
        // A single request with more places than a transaction of etcd has.
        if requests.count == 1, requests[0].places - requests[0].checks.count > WriteBatch.maximumPlaces {
            let failure = StoreFailure.tooManyOperations(
                "With etcd, a transaction with an idempotency key has at most \(WriteBatch.maximumPlaces - 1) checks and "
                    + "operations.")
            return self.answer(requests, .init(outcome: .failed(failure)), attempt)
        }
        var batch = WriteBatch(requests, self.keyspace)
        batch.planBlindly(now: self.clock.milliseconds(), monotonicNow: MonotonicClock.nanoseconds())
        do throws(EtcdFailure) {
            try await self.read(batch.unplannedKeys, &batch, attempt)
            while !batch.isEmpty {
                self.answer(batch.takeOutcomesWithoutChanges(), attempt)
                if batch.isEmpty { return }
                if try await self.commit(&batch, &attempt) { return }
            }
        } catch {
            // One of them is too much for etcd: the others need not suffer.
            if batch.members.count > 1, error.blamesRequest {
                for member in batch.members { await self.carryOut([member.request], &attempt) }
                return
            }
            self.answer(batch.members.map(\.request), .init(outcome: .failed(StoreFailure(error))), attempt)
        }
    }

    /// Reads what those depend on that could not be planned without it.
    private func read(_ keys: [Data], _ batch: inout WriteBatch, _ attempt: Attempt) async throws(EtcdFailure) {
        if keys.isEmpty { return }
        let request = WriteBatch.reads(of: keys)
        let answer: Etcdserverpb_TxnResponse
        do { answer = try await self.cluster.read(request, until: attempt.deadline) } catch {
            throw error.beforeWriting
        }
        batch.decideUnplanned(
            from: WriteBatch.found(answer.responses), revision: UInt64(answer.header.revision),
            now: self.clock.milliseconds())
    }

    /// - Returns: false if something has changed meanwhile, and everything was decided again.
    private func commit(_ batch: inout WriteBatch, _ attempt: inout Attempt) async throws(EtcdFailure) -> Bool {
        let now = self.clock.milliseconds()
        let leases = Set(batch.expiryTimes.map { EtcdLeases.number(of: $0, now: now) })
        if !leases.isEmpty {
            // A lease does no harm, and nothing was written.
            do { try await self.leases.grant(leases, now: now, by: self.cluster, until: attempt.deadline) } catch {
                throw error.beforeWriting
            }
        }
        self.refuseLate(&batch, attempt)
        if batch.isEmpty { return true }
        guard ContinuousClock.now < attempt.deadline - self.cluster.limits.leastWriteAttempt else {
            throw .notSent("etcd was slow, or others have changed the same keys again and again")
        }
        let request = batch.transaction { EtcdLeases.number(of: $0, now: now) }
        let began = MonotonicClock.nanoseconds()
        if attempt.writeBeganAt == 0 { attempt.writeBeganAt = began }
        let answer: Etcdserverpb_TxnResponse
        do throws(EtcdFailure) { answer = try await self.cluster.write(request, until: attempt.deadline) } catch {
            // A lease that etcd has forgotten is asked for again.
            guard case .refused(.leaseNotFound, _) = error, attempt.lostLeases < Self.leaseAttempts else { throw error }
            attempt.lostLeases += 1
            self.leases.forget(leases)
            return false
        }
        attempt.write += MonotonicClock.nanoseconds() - began
        guard answer.succeeded else {
            self.figures.conflicts.add(1, ordering: .relaxed)
            batch.decide(
                from: WriteBatch.found(answer.responses), revision: UInt64(answer.header.revision),
                now: self.clock.milliseconds())
            return false
        }
        let outcomes = batch.outcomes(revision: UInt64(answer.header.revision), answer.responses, now: now)
        self.answer(outcomes, attempt)
        return true
    }

    // MARK: - Answers

    private func refuseLate(_ batch: inout WriteBatch, _ attempt: Attempt) {
        let now = MonotonicClock.nanoseconds()
        let late = batch.remove { now > $0.request.deadline }
        if !late.isEmpty { self.answer(late, .init(outcome: .late), attempt) }
    }

    private func answer(_ requests: [WriteRequest], _ outcome: WriteBatch.Outcome, _ attempt: Attempt) {
        self.answer(requests.map { ($0, outcome) }, attempt)
    }

    private func answer(_ outcomes: [(request: WriteRequest, outcome: WriteBatch.Outcome)], _ attempt: Attempt) {
        if outcomes.isEmpty { return }
        self.figures.note(outcomes.map(\.outcome))
        AnswerMailbox.deliver(
            outcomes.map { request, outcome in
                let result = WriteResult(
                    outcome: outcome.outcome, timings: attempt.timings(of: request), isReplayed: outcome.isReplayed)
                return (request.mailbox, request.ticket, .write(result, outcome.decided))
            })
    }
}

/// The course of a batch.
private struct Attempt {
    /// Monotonic nanoseconds.
    let takenAt: UInt64
    let deadline: ContinuousClock.Instant
    /// Writes in it at first.
    let count: Int
    var writeBeganAt: UInt64 = 0
    var write: UInt64 = 0
    var lostLeases = 0

    init(takenAt: UInt64, deadline: ContinuousClock.Instant, count: Int) {
        self.takenAt = takenAt
        self.deadline = deadline
        self.count = count
    }

    func timings(of request: WriteRequest) -> WriteTimings {
        var timings = WriteTimings()
        timings.queuedAt = request.submittedAt
        timings.queue = self.takenAt - min(request.submittedAt, self.takenAt)
        timings.writeBeganAt = self.writeBeganAt
        timings.write = self.write
        timings.applyBeganAt = MonotonicClock.nanoseconds()
        timings.batchWrites = self.count
        return timings
    }
}

extension Array {
    /// Those that satisfy a condition, and the others.
    fileprivate func partitioned(by condition: (Element) -> Bool) -> (yes: [Element], no: [Element]) {
        self.reduce(into: ([], [])) { parts, element in
            if condition(element) { parts.0.append(element) } else { parts.1.append(element) }
        }
    }
}

extension EtcdFailure {
    /// Whether it will be the same whenever and wherever the request is sent.
    var blamesRequest: Bool {
        switch self {
        case .refused(.tooLarge, _), .refused(.invalid, _): true
        default: false
        }
    }

    /// Of a request before a write, so that nothing was written, whatever became of it.
    var beforeWriting: EtcdFailure {
        if case .unknown(let text) = self { .notSent(text) } else { self }
    }
}

extension StoreFailure {
    /// What a failure to write means.
    init(_ failure: EtcdFailure) {
        switch failure {
        case .notSent, .refused(.noLeader, _), .refused(.tooManyRequests, _), .refused(.unauthenticated, _),
            .refused(.permissionDenied, _), .refused(.compacted, _), .refused(.futureRevision, _),
            .refused(.leaseNotFound, _), .refused(.leaseExists, _):
            self = .unavailable("\(failure)")
        case .refused(.quotaExceeded, let text): self = .full(text)
        case .refused(.tooLarge, let text), .refused(.invalid, let text): self = .tooLarge(text)
        case .unknown(let text): self = .unknown(text)
        }
    }
}
