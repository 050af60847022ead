import BackupArchive
import DurableFiles
import KeyValueStore
import SystemSupport
import TransactionLog

/// Reads the files of a backup on a thread of its own, one piece at a time: not more than one waits for the client.
struct BackupReader: Sendable {
    enum Step: Sendable {
        /// With the bytes of the whole archive.
        case begin(LogCapture, bytes: UInt64)
        case piece([UInt8])
        /// The last one.
        case end([UInt8])
        /// The one before has ended, but still lets go of its files.
        case busy
        case failed(String)
    }

    /// Sent at a time.
    private static let pieceBytes = 256 << 10

    private let engine: EmbeddedEngine
    private let pace: BackupPace
    private let send: @Sendable (Step) -> Void

    /// - Parameter send: called on the thread; after a begin and after each piece the thread waits for the pace.
    init(_ engine: EmbeddedEngine, _ pace: BackupPace, send: @escaping @Sendable (Step) -> Void) {
        self.engine = engine
        self.pace = pace
        self.send = send
    }

    /// Blocks until the backup has ended.
    func run() {
        let capture: LogCapture
        do throws(CaptureFailure) { capture = try self.engine.capture() } catch {
            switch error {
            case .busy: self.send(.busy)
            case .closing: self.send(.failed("the service stops"))
            case .system(let error): self.send(.failed("the newest changes could not be synced: \(error)"))
            }
            return
        }
        defer { capture.release() }
        let files = capture.files.map { (name: $0.name, bytes: $0.bytes) }
        self.send(.begin(capture, bytes: ArchiveWriter.totalBytes(files)))
        do throws(SystemError) {
            if !self.mayGoOn(capture) { return }
            try self.copy(capture)
        } catch {
            self.send(.failed("\(error)"))
        }
    }

    private func copy(_ capture: LogCapture) throws(SystemError) {
        var archive = ArchiveWriter(modifiedAt: WallClock.nanoseconds() / 1_000_000_000)
        var piece: [UInt8] = []
        for file in capture.files {
            piece += archive.begin(file.name, bytes: file.bytes)
            let isWhole = try capture.read(file) { content in
                archive.add(content)
                piece += content
                if piece.count < Self.pieceBytes { return true }
                self.send(.piece(piece))
                piece.removeAll(keepingCapacity: true)
                return self.mayGoOn(capture)
            }
            if !isWhole { return }
            piece += archive.end()
        }
        // Before the client has everything: it may begin the next backup then.
        capture.release()
        self.send(.end(piece + archive.finish()))
    }

    /// Waits for the client, unless the store needs the space of what a compaction has replaced meanwhile more.
    private func mayGoOn(_ capture: LogCapture) -> Bool {
        while true {
            let step = self.pace.wait()
            if step == .stop { return false }
            // Also for a client that is slow and always takes something.
            if capture.delaysRemoval, self.engine.statistics.missingSpace != nil {
                self.send(.failed("the disk is full, and the backup kept space from being freed"))
                return false
            }
            if step == .goOn { return true }
        }
    }
}
