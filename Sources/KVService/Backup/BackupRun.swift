import BackupArchive
import HTTP1
import HTTPServing
import KeyValueStore
import LogFormat
import NIOCore
import NIOHTTP1
import Synchronization
import SystemSupport
import TransactionLog

/// One backup on its way to a client. Confined to the event loop of its connection; ``BackupReader`` has a thread of its
/// own.
final class BackupRun: HeldRequest {
    enum Event: Sendable {
        case started(StoreID, revision: UInt64, bytes: UInt64)
        case ended(BackupFigures.Outcome)
    }

    typealias Observer = @Sendable (Event) -> Void

    private let responder: Responder
    private let figures: BackupFigures
    private let onEvent: Observer
    private let pace = BackupPace()
    private var stream: ResponseStream?
    private var waitsForRoom = false
    private var hasEnded = false

    init(_ responder: Responder, _ figures: BackupFigures, onEvent: @escaping Observer) {
        self.responder = responder
        self.figures = figures
        self.onEvent = onEvent
    }

    /// - Throws: 503 `backup_failed`.
    func start(_ engine: EmbeddedEngine) throws(Problem) {
        let eventLoop = self.responder.eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let reader = BackupReader(engine, self.pace) { step in eventLoop.execute { bound.value.take(step) } }
        do throws(ThreadError) { try DedicatedThread.start(name: "kv-backup", reader.run) } catch {
            self.end(.failed, error: "\(error)")
            throw Self.problem("\(error)")
        }
        self.responder.hold(by: self)
    }

    private func take(_ step: BackupReader.Step) {
        if self.hasEnded { return }
        switch step {
        case .begin(let capture, let bytes): self.begin(capture, bytes)
        case .piece(let bytes):
            self.write(bytes)
            if self.stream?.hasRoom == true { self.pace.goOn() } else { self.waitsForRoom = true }
        case .end(let bytes):
            self.write(bytes)
            self.stream?.end()
            self.end(.sent)
        case .busy:
            self.hasEnded = true
            self.figures.abandon()
            self.responder.fail(BackupRoute.running)
        case .failed(let error):
            self.end(.failed, error: error)
            // Half of a backup must not look like one.
            if let stream = self.stream { stream.abort() } else { self.responder.fail(Self.problem(error)) }
        }
    }

    private func begin(_ capture: LogCapture, _ bytes: UInt64) {
        self.figures.captured(revision: capture.revision, bytes: bytes)
        let head = ResponseHead(
            status: .ok, contentType: "application/x-tar",
            headers: [
                ("Content-Disposition", "attachment; filename=\"kv-\(capture.storeID)-\(capture.revision).tar\""),
                ("X-KV-Store", "\(capture.storeID)"), ("X-KV-Revision", "\(capture.revision)"),
            ])
        self.stream = self.responder.stream(head, bodyBytes: Int(bytes))
        if self.stream == nil {
            // `HEAD`: there is nothing more to send.
            capture.release()
            self.pace.stop()
            self.hasEnded = true
            return self.figures.abandon()
        }
        self.onEvent(.started(capture.storeID, revision: capture.revision, bytes: bytes))
        self.pace.goOn()
    }

    private func write(_ bytes: [UInt8]) {
        self.figures.sent(bytes.count)
        self.stream?.write(.init(bytes))
    }

    private func end(_ ending: BackupFigures.Ending, error: String? = nil) {
        self.hasEnded = true
        guard let outcome = self.figures.end(ending, error: error) else { return }
        self.onEvent(.ended(outcome))
    }

    private static func problem(_ error: String) -> Problem {
        Problem(.serviceUnavailable, code: "backup_failed", detail: "The backup could not be made: \(error).")
    }

    // MARK: - The connection

    func hasRoom() {
        if !self.waitsForRoom { return }
        self.waitsForRoom = false
        self.pace.goOn()
    }

    func clientGone() {
        self.pace.stop()
        if !self.hasEnded { self.end(.cut, error: "the client went away") }
    }

    func serverStops() {
        self.pace.stop()
        if self.hasEnded { return }
        self.end(.cut, error: "the service stopped")
        if let stream = self.stream {
            stream.abort()
        } else {
            self.responder.fail(Self.problem("the service stops"))
        }
    }
}

@available(*, unavailable)
extension BackupRun: Sendable {}

/// Lets a thread go on step by step. Any thread.
final class BackupPace: Sendable {
    enum Step { case goOn, stop }

    private static let waitNanoseconds: UInt64 = 1_000_000_000

    private let steps = MonotonicSemaphore()
    private let isStopped = Atomic(false)

    /// The next piece is wanted.
    func goOn() { self.steps.signal() }

    func stop() {
        self.isStopped.store(true, ordering: .releasing)
        self.steps.signal()
    }

    /// Blocks until the next piece is wanted, or for a second.
    /// - Returns: nil after that second.
    func wait() -> Step? {
        let isSignalled = self.steps.wait(forNanoseconds: Self.waitNanoseconds)
        if self.isStopped.load(ordering: .acquiring) { return .stop }
        return isSignalled ? .goOn : nil
    }
}
