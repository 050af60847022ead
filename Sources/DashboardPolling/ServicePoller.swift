import AsyncHTTPClient
public import DashboardModel
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import SystemSupport
public import TransportSecurity

/// Polls the targets independently: a target that hangs does not delay another one.
///
/// Any thread may call. Nothing here uses the terminal.
public final class ServicePoller: Sendable {
    /// A poll is cancelled after this time, or after one interval if that is longer: a short interval sets how often
    /// kvtop polls, not how long an answer may take.
    static let leastTimeoutSeconds = 2.0
    /// Maximum size of one document.
    private static let bodyLimitBytes = 16 << 20
    /// If `/admin/events` did not exist, it is requested again after this many polls.
    private static let eventsRetryPolls = 60

    private let targets: [Target]
    private let token: String?
    private let client: HTTPClient
    private let deliver: @Sendable (RawPoll) -> Void
    private let interval: Mutex<Double>
    private let tasks = Mutex<[Task<Void, Never>]>([])
    /// The pauses between polls, to end them early.
    private let pauses = Mutex<[Int: Task<Void, Never>]>([:])

    /// - Parameters:
    ///   - token: sent with all requests as a bearer token: an access key, or the token for actions.
    ///   - certificates: for targets with `https`.
    ///   - deliver: receives each poll, answered or not, on any thread.
    public init(
        targets: [Target], intervalSeconds: Double, token: String?, certificates: CertificateFiles = CertificateFiles(),
        deliver: @escaping @Sendable (RawPoll) -> Void
    ) throws(CertificateError) {
        var configuration = HTTPClient.Configuration()
        configuration.httpVersion = .http1Only
        configuration.redirectConfiguration = .disallow
        if targets.contains(where: { $0.url.hasPrefix("https://") }) {
            configuration.tlsConfiguration = try TLSContext.clientConfiguration(certificates)
        }
        // The deadline of a poll also applies to its connections.
        configuration.timeout.connect = .seconds(10)
        // A refused connection is a result: it is reported immediately, and tried again with the next poll.
        configuration.connectionPool.retryConnectionEstablishment = false
        self.client = HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
            configuration: configuration)
        self.targets = targets
        self.token = token
        self.interval = Mutex(intervalSeconds)
        self.deliver = deliver
    }

    /// Polls all targets until ``stop()``.
    public func start() {
        self.tasks.withLock { tasks in
            tasks = self.targets.indices.map { index in Task { await self.run(index) } }
        }
    }

    /// Polls all targets once.
    public func pollOnce() async {
        await withTaskGroup(of: Void.self) { group in
            for index in self.targets.indices {
                group.addTask { self.deliver(await self.poll(index, asksForEvents: true).poll) }
            }
        }
    }

    /// Ends the polling and closes the connections. Call it before the last reference goes away; not from a task.
    public func stop() {
        for task in self.tasks.withLock({ $0 }) { task.cancel() }
        try? self.client.syncShutdown()
    }

    /// Applies from the next poll on, which starts immediately.
    public func setInterval(seconds: Double) {
        self.interval.withLock { $0 = seconds }
        self.pollNow()
    }

    /// Ends the pauses between polls.
    public func pollNow() {
        for pause in self.pauses.withLock({ $0.values.map { $0 } }) { pause.cancel() }
    }

    // MARK: Polling

    private func run(_ index: Int) async {
        var pollsToEvents = 0
        var isRepeated = false
        var due = MonotonicClock.nanoseconds()
        while !Task.isCancelled {
            let begin = MonotonicClock.nanoseconds()
            let (poll, hasNoEvents) = await self.poll(index, asksForEvents: pollsToEvents == 0)
            if Task.isCancelled { return }
            if poll.isMissed, !isRepeated, self.hasStoodStill(since: begin) {
                isRepeated = true
                continue
            }
            isRepeated = false
            if hasNoEvents { pollsToEvents = Self.eventsRetryPolls }
            // After a silence, another version of the service may answer.
            pollsToEvents = poll.isMissed ? 0 : max(0, pollsToEvents - 1)
            self.deliver(poll)
            // At a fixed rate; missed polls are not repeated.
            let interval = UInt64(self.interval.withLock { $0 } * 1e9)
            let now = MonotonicClock.nanoseconds()
            due = max(due + interval, now)
            if due - now > interval { due = now + interval }
            await self.pause(index, nanoseconds: due - now)
            if MonotonicClock.nanoseconds() + 1_000_000 < due { due = MonotonicClock.nanoseconds() }
        }
    }

    private func pause(_ index: Int, nanoseconds: UInt64) async {
        let pause = Task { await Pause.wait(seconds: Double(nanoseconds) / 1e9) }
        self.pauses.withLock { $0[index] = pause }
        await withTaskCancellationHandler {
            await pause.value
        } onCancel: {
            pause.cancel()
        }
    }

    /// Whether kvtop itself was stopped during a poll, by a signal or together with the machine: its deadline then
    /// passed unnoticed, and says nothing about the service.
    private func hasStoodStill(since begin: UInt64) -> Bool {
        Double(MonotonicClock.nanoseconds() - begin) / 1e9 > self.timeoutSeconds + 1
    }

    private var timeoutSeconds: Double { max(self.interval.withLock { $0 }, Self.leastTimeoutSeconds) }

    /// - Returns: the poll, and whether the service answered that `/admin/events` does not exist.
    private func poll(_ index: Int, asksForEvents: Bool) async -> (poll: RawPoll, hasNoEvents: Bool) {
        let begin = MonotonicClock.nanoseconds()
        let url = self.targets[index].url
        async let metrics = self.getTimed("\(url)/metrics")
        async let admin = self.get("\(url)/admin")
        async let events = asksForEvents ? self.get("\(url)/admin/events") : .failure(Self.notAskedFor)
        let answers = await (metrics, admin, events)
        let end = MonotonicClock.nanoseconds()
        // Rates refer to the scrape: the duration of the other requests must not change its time.
        let poll = RawPoll(
            target: index, receivedAt: Double(answers.0.receivedAt) / 1e9,
            wallTime: Double(WallClock.nanoseconds()) / 1e9, roundTripSeconds: Double(end - begin) / 1e9,
            metrics: answers.0.body, admin: answers.1, events: try? answers.2.get())
        return (poll, answers.2 == .failure(Self.notFound))
    }

    private static let notAskedFor = PollFailure("not requested")
    private static let notFound = PollFailure("HTTP 404", isAnswer: true)

    /// A document, and when it was complete, in monotonic nanoseconds.
    private func getTimed(_ url: String) async -> (body: Result<[UInt8], PollFailure>, receivedAt: UInt64) {
        let body = await self.get(url)
        return (body, MonotonicClock.nanoseconds())
    }

    private func get(_ url: String) async -> Result<[UInt8], PollFailure> {
        do {
            var request = HTTPClientRequest(url: url)
            self.authorize(&request)
            let (status, body) = try await self.exchange(
                request, seconds: self.timeoutSeconds, limitBytes: Self.bodyLimitBytes)
            guard status == 200 else { return .failure(PollFailure("HTTP \(status)", isAnswer: true)) }
            return .success(body)
        } catch {
            return .failure(PollFailure(ConnectionTrouble.text(error)))
        }
    }

    private func authorize(_ request: inout HTTPClientRequest) {
        if let token = self.token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
    }

    /// A request with its whole answer within this many seconds. The client's own deadline covers only the answer's
    /// head: a body that arrives byte by byte would never time out.
    private func exchange(
        _ request: HTTPClientRequest, seconds: Double, limitBytes: Int
    ) async throws -> (status: UInt, body: [UInt8]) {
        let client = self.client
        return try await withThrowingTaskGroup(of: (status: UInt, body: [UInt8]).self) { group in
            defer { group.cancelAll() }
            group.addTask {
                let response = try await client.execute(
                    request, deadline: .now() + .nanoseconds(Int64(seconds * 1e9)))
                let body = try await response.body.collect(upTo: limitBytes)
                return (response.status.code, Array(body.readableBytesView))
            }
            group.addTask {
                await Pause.wait(seconds: seconds)
                throw HTTPClientError.deadlineExceeded
            }
            guard let first = try await group.next() else { throw HTTPClientError.deadlineExceeded }
            return first
        }
    }

    // MARK: Actions

    /// Requests a compaction of a kv-service: one `POST`, which is never repeated.
    public func compact(target: Int) async -> ActionOutcome {
        var request = HTTPClientRequest(url: "\(self.targets[target].url)/admin/compact")
        request.method = .POST
        // The connection is closed afterwards: such a request is rare.
        request.headers.add(name: "Connection", value: "close")
        request.headers.add(name: "Content-Length", value: "0")
        self.authorize(&request)
        do {
            let (status, body) = try await self.exchange(request, seconds: 10, limitBytes: 65_536)
            return ActionOutcome(status: status, body: body)
        } catch {
            return ActionOutcome(
                text: "compaction: no answer, it may or may not have started: \(ConnectionTrouble.text(error))",
                level: .error)
        }
    }
}
