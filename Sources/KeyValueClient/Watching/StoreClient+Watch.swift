import AsyncHTTPClient
import JSON
import NIOCore
import NIOHTTP1

extension StoreClient {
    /// The changes of all keys that begin with some bytes, from now on or after a revision: each exactly once, in order,
    /// transactions whole.
    ///
    /// A connection that breaks is made again, behind the last event. The iteration ends only with an error: when the
    /// first connection cannot be made within the timeout; with the code `revision_compacted` when the service no longer
    /// has the changes that come next, and with `moved` when another kv-service has the keys since a change of the
    /// gateway's routes (read the keys anew then, and watch from the revision of that page); with any other refusal of the request; or when the task is cancelled.
    ///
    /// - Parameters:
    ///   - since: changes after this revision; nil: from now on.
    ///   - previous: with what the keys had before.
    public func watch(prefix: some StoreBytes = "", since: UInt64? = nil, previous: Bool = false) -> Changes {
        Changes(client: self, selection: ("prefix", prefix.storeBytes), since: since, previous: previous)
    }

    /// As ``watch(prefix:since:previous:)``, for one key.
    public func watch(key: some StoreBytes, since: UInt64? = nil, previous: Bool = false) -> Changes {
        Changes(client: self, selection: ("key", key.storeBytes), since: since, previous: previous)
    }
}

/// The events of a watch. Each iteration is a watch of its own.
public struct Changes: AsyncSequence, Sendable {
    public typealias Element = ChangeEvent

    fileprivate let client: StoreClient
    fileprivate let selection: (name: String, value: [UInt8])
    fileprivate let since: UInt64?
    fileprivate let previous: Bool

    public func makeAsyncIterator() -> Iterator { Iterator(self) }

    public struct Iterator: AsyncIteratorProtocol {
        /// The longest wait before a connection is made again.
        private static let longestPauseMilliseconds: UInt64 = 30_000
        private static let refusalLimitBytes = 65_536

        private let changes: Changes
        /// The revision up to which all events were received; nil before the service has said where it begins.
        public private(set) var revision: UInt64?
        private var events: ArraySlice<ChangeEvent> = []
        private var body: HTTPClientResponse.Body.AsyncIterator?
        private var stream = EventStream()
        private var hasConnected = false
        /// Connections in a row on which nothing was received.
        private var failures = 0
        /// Why it ends, once all events are given.
        private var ending: KeyValueError?
        /// As the service wishes.
        private var retryMilliseconds: UInt64 = 1_000

        fileprivate init(_ changes: Changes) {
            self.changes = changes
            self.revision = changes.since
        }

        public mutating func next() async throws -> ChangeEvent? {
            while true {
                if let event = self.events.popFirst() { return event }
                if let ending = self.ending { throw ending }
                if self.body == nil { try await self.connect() }
                do {
                    if let bytes = try await self.body?.next() {
                        try self.take(self.stream.receive(bytes.readableBytesView))
                        continue
                    }
                } catch let error as KeyValueError {
                    throw error
                } catch {
                    // Whatever broke the connection: what follows is the same.
                    if Task.isCancelled { throw CancellationError() }
                }
                self.body = nil
                if self.events.isEmpty { try await self.pause(after: nil) }
            }
        }

        private mutating func take(_ items: [EventStream.Item]) throws(KeyValueError) {
            self.failures = 0
            for item in items {
                switch item {
                case .retry(let milliseconds): self.retryMilliseconds = milliseconds
                case .comment(let text):
                    // `watching from revision N` and, when there is nothing to send, `revision N`.
                    if let revision = text.split(separator: " ").last.flatMap({ UInt64($0) }) { self.reached(revision) }
                case .event(_, "change", let data):
                    guard let event = ChangeEvent(data) else {
                        throw KeyValueError(
                            code: KeyValueError.invalidAnswer, detail: "An event is not one of a kv-service.")
                    }
                    self.events.append(event)
                    self.reached(event.revision)
                case .event(_, "end", let data):
                    self.body = nil
                    // The revision that was reached means nothing to the kv-service that has the keys now.
                    guard let end = try? JSONTree(parsing: data), end["code"]?.string == "moved" else { continue }
                    self.ending = KeyValueError(code: "moved", detail: end["detail"]?.string ?? "The keys have moved.")
                case .event: break
                }
            }
        }

        private mutating func reached(_ revision: UInt64) { self.revision = Swift.max(self.revision ?? 0, revision) }

        // MARK: Connections

        private mutating func connect() async throws {
            let deadline = Deadline(after: self.changes.client.configuration.timeout)
            var policy = RetryPolicy(maxAttempts: self.changes.client.configuration.maxAttempts)
            while true {
                do throws(KeyValueError) {
                    try await self.open(self.hasConnected ? Deadline(after: .seconds(10)) : deadline)
                    self.hasConnected = true
                    return
                } catch {
                    try Task.checkCancellation()
                    if self.hasConnected {
                        try await self.pause(after: error)
                        continue
                    }
                    let pause = policy.pause(
                        after: error, hasKey: false, elapsedNanoseconds: 0,
                        remainingNanoseconds: deadline.remainingNanoseconds, jitter: .random(in: 0...1))
                    guard let pause else { throw error }
                    try await Pause.wait(nanoseconds: pause)
                }
            }
        }

        /// - Throws: a cancellation as any other failure; the caller checks for it.
        private mutating func open(_ deadline: Deadline) async throws(KeyValueError) {
            let client = self.changes.client
            var call = Call(method: .get, operation: "watch", parameters: [self.changes.selection])
            if self.changes.previous { call.parameters.append(("previous", Array("true".utf8))) }
            call.fields = [("Accept", "text/event-stream")]
            if let revision = self.revision { call.fields.append(("Last-Event-ID", "\(revision)")) }
            do {
                let basePath = try await client.basePath(deadline)
                let response = try await client.transport.stream(call, basePath: basePath, deadline: deadline)
                let type = response.headers.first(name: "Content-Type") ?? ""
                if response.status == .ok, type.hasPrefix("text/event-stream") {
                    self.body = response.body.makeAsyncIterator()
                    self.stream = EventStream()
                    return
                }
                let body = try await response.body.collect(upTo: Self.refusalLimitBytes)
                throw KeyValueError(
                    Answer(
                        status: Int(response.status.code), fields: response.headers,
                        body: Array(body.readableBytesView)), to: call)
            } catch let error as KeyValueError {
                throw error
            } catch {
                throw KeyValueError(code: KeyValueError.connectionLost, detail: "The connection broke: \(error).")
            }
        }

        /// Waits before a connection is made again.
        ///
        /// - Throws: the failure if it is a refusal that a repetition gets again.
        private mutating func pause(after failure: KeyValueError?) async throws {
            if let failure, failure.isDecision || failure.status.map({ $0 < 500 }) ?? false { throw failure }
            let doubled = self.retryMilliseconds << UInt64(Swift.min(self.failures, 5))
            self.failures += 1
            let base = Double(Swift.min(doubled, Self.longestPauseMilliseconds)) * 1e6
            let asked = UInt64(Swift.max(0, failure?.retryAfterSeconds ?? 0)) * 1_000_000_000
            try await Pause.wait(nanoseconds: Swift.max(UInt64(base * .random(in: 0.5...1.5)), asked))
        }
    }
}
