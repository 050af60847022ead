import Glibc
import Logging
import Synchronization
import SystemSupport
import Testing

@testable import ServiceKit

@Suite("Shutdown", .timeLimit(.minutes(1)))
struct LifecycleTests {
    /// Signals that a test sends, and the codes with which the process would have ended.
    private final class Harness: Sendable {
        let lifecycle: Lifecycle
        let send: AsyncStream<ShutdownSignal>.Continuation
        let exits: AsyncStream<Int32>

        init() {
            let (signals, send) = AsyncStream<ShutdownSignal>.makeStream()
            let (exits, exit) = AsyncStream<Int32>.makeStream()
            self.send = send
            self.exits = exits
            let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            self.lifecycle = Lifecycle(logger: logger, signals: signals) { exit.yield($0) }
        }
    }

    @Test func `a drain that ends in time is a success`() async {
        let harness = Harness()
        harness.send.yield(.terminate)
        let drained = Mutex(false)
        let status = await harness.lifecycle.run(timeout: .seconds(60)) { deadline in
            #expect(deadline > .now)
            drained.withLock { $0 = true }
        }
        #expect(status == .success)
        #expect(drained.withLock { $0 })
    }

    @Test func `a drain that fails is a failure`() async {
        struct CannotSync: Error {}
        let harness = Harness()
        harness.send.yield(.interrupt)
        let status = await harness.lifecycle.run(timeout: .seconds(60)) { _ in throw CannotSync() }
        #expect(status == .failure)
    }

    @Test func `a drain that is stuck is cancelled and not waited for`() async {
        let harness = Harness()
        harness.send.yield(.terminate)
        let (never, continuation) = AsyncStream<Void>.makeStream()
        let (cancelled, tell) = AsyncStream<Void>.makeStream()
        let status = await harness.lifecycle.run(timeout: .milliseconds(20)) { _ in
            for await _ in never {}
            if Task.isCancelled { tell.finish() }
        }
        #expect(status == .failure)
        for await _ in cancelled {}
        continuation.finish()
    }

    @Test func `a second signal ends the process at once with its number`() async {
        let harness = Harness()
        harness.send.yield(.terminate)
        let (never, release) = AsyncStream<Void>.makeStream()
        async let status = harness.lifecycle.run(timeout: .seconds(60)) { _ in
            harness.send.yield(.interrupt)
            for await _ in never {}
        }
        var exits = harness.exits.makeAsyncIterator()
        #expect(await exits.next() == 128 + 2)
        release.finish()
        #expect(await status == .success)
    }

    @Test func `a second signal ends the process also before it began to wait`() async {
        let harness = Harness()
        harness.send.yield(.interrupt)
        harness.send.yield(.terminate)
        var exits = harness.exits.makeAsyncIterator()
        #expect(await exits.next() == 128 + 15)
    }

    @Test func `the limit of open files is raised to the hard limit`() {
        let limit = ProcessSetup.prepare().limit
        #expect(limit > 0)
        #expect(ProcessSetup.prepare().limit == limit)
    }

    @Test func `descriptors are inherited that a further program would inherit too`() {
        let left = open("/dev/null", O_RDONLY)
        let own = open("/dev/null", O_RDONLY | O_CLOEXEC)
        #expect(ProcessSetup.isInherited(left) && !ProcessSetup.isInherited(own))
        #expect(ProcessSetup.prepare().inherited >= 1)
        close(left)
        close(own)
        #expect(!ProcessSetup.isInherited(-1))
    }
}
