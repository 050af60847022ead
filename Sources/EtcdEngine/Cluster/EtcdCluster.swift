public import GRPCCore
import Synchronization

/// An etcd cluster: its members, and by which rules requests are sent to which of them. Any thread.
///
/// Requests go to one member until it fails; then to the next. A paused member takes requests and answers none, and nobody
/// notices: therefore each attempt has a time limit.
public final class EtcdCluster: Sendable {
    public struct Limits: Sendable {
        /// Of an attempt to read. Longer than a slow member needs, and shorter than clients wait.
        public var readAttempt = Duration.seconds(1)
        /// A write that was not carried out is not sent again with less time than this left: without time for an answer its
        /// outcome would be unknown.
        public var leastWriteAttempt = Duration.milliseconds(500)
        /// Between attempts after all members have failed.
        public var pause = Duration.milliseconds(50)

        public init() {}
    }

    /// What a call needs: metadata and options with its time limit.
    public struct Call: Sendable {
        public let member: EtcdMember
        public let metadata: Metadata
        public let options: CallOptions
        /// The transport takes 4 MiB for the longest answer; that to 128 reads, or to one watch, can be longer.
        private static let longestMessage = 1 << 30

        /// `hasleader`: a member without a leader refuses at once, before it proposes anything.
        fileprivate init(_ member: EtcdMember, timeout: Duration?) {
            self.member = member
            self.metadata = ["hasleader": "true"]
            var options = CallOptions.defaults
            options.timeout = timeout
            options.maxRequestMessageBytes = Self.longestMessage
            options.maxResponseMessageBytes = Self.longestMessage
            options.waitForReady = false
            self.options = options
        }
    }

    public let members: [EtcdMember]
    let limits: Limits
    /// The place of the member that gets the next request.
    private let current = Atomic<Int>(0)

    /// - Precondition: at least one endpoint.
    /// - Throws: if an endpoint cannot be used.
    public init(_ endpoints: [EtcdEndpoint], limits: Limits = Limits()) throws(EtcdFailure) {
        precondition(!endpoints.isEmpty)
        var members: [EtcdMember] = []
        for endpoint in endpoints { members.append(try EtcdMember(endpoint)) }
        self.members = members
        self.limits = limits
    }

    /// Connects to all members, until the task is cancelled or ``stop()`` is called.
    public func run() async {
        await withDiscardingTaskGroup { group in
            for member in self.members { group.addTask { await member.run() } }
        }
    }

    public func stop() { for member in self.members { member.stop() } }

    /// A request that changes nothing: asks one member after the other until the deadline.
    ///
    /// - Throws: the last member's failure.
    public func read<Answer: Sendable>(
        until deadline: ContinuousClock.Instant, _ body: (Call) async throws -> Answer
    ) async throws(EtcdFailure) -> Answer {
        var attempts = 0
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            let place = self.current.load(ordering: .relaxed)
            let call = Call(self.members[place], timeout: max(.zero, min(self.limits.readAttempt, left)))
            do { return try await body(call) } catch {
                let failure = EtcdFailure(error)
                guard failure.mayPass else { throw failure }
                self.leave(place)
                attempts += 1
                guard await self.mayTryAgain(after: attempts, until: deadline) else { throw failure }
            }
        }
    }

    /// A request that may change something: is sent once. Only if it surely did not reach a member, or was refused because
    /// that has no leader, the next one is asked.
    ///
    /// - Throws: ``EtcdFailure/unknown(_:)`` if it may have been carried out.
    public func write<Answer: Sendable>(
        until deadline: ContinuousClock.Instant, _ body: (Call) async throws -> Answer
    ) async throws(EtcdFailure) -> Answer {
        var attempts = 0
        while true {
            let place = self.current.load(ordering: .relaxed)
            let left = ContinuousClock.now.duration(to: deadline)
            do { return try await body(Call(self.members[place], timeout: max(.zero, left))) } catch {
                let failure = EtcdFailure(error)
                if failure.mayPass { self.leave(place) }
                switch failure {
                case .unknown: throw failure
                case .notSent, .refused:
                    attempts += 1
                    let latest = deadline - self.limits.leastWriteAttempt
                    guard failure.mayPass, await self.mayTryAgain(after: attempts, until: latest) else { throw failure }
                }
            }
        }
    }

    /// A watch: a stream of answers that lasts until `body` returns or the connection breaks.
    public func watch<Answer: Sendable>(_ body: (Call) async throws -> Answer) async throws(EtcdFailure) -> Answer {
        let place = self.current.load(ordering: .relaxed)
        do { return try await body(Call(self.members[place], timeout: nil)) } catch {
            let failure = EtcdFailure(error)
            if failure.mayPass { self.leave(place) }
            throw failure
        }
    }

    /// The next request goes to another member, unless another task has left this one before.
    private func leave(_ place: Int) {
        _ = self.current.compareExchange(
            expected: place, desired: (place + 1) % self.members.count, ordering: .relaxed)
    }

    /// - Returns: false if it is too late.
    private func mayTryAgain(after attempts: Int, until latest: ContinuousClock.Instant) async -> Bool {
        if attempts.isMultiple(of: self.members.count) {
            // Ends early if the task is cancelled, and so does the next attempt.
            try? await Task.sleep(for: self.limits.pause)
        }
        return ContinuousClock.now < latest && !Task.isCancelled
    }
}
