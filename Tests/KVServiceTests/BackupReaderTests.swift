import KeyValueStore
import Synchronization
import TestSupport
import Testing
import TransactionLog

@testable import KVService

@Suite(.timeLimit(.minutes(1))) struct BackupReaderTests {
    private let folder = TemporaryFolder()

    /// The steps of a backup by name, and what a capture is answered during the last one.
    private func steps(of engine: EmbeddedEngine, _ pace: BackupPace) -> [String] {
        let steps = Mutex<[String]>([])
        let reader = BackupReader(engine, pace) { step in
            let name =
                switch step {
                case .begin: "begin"
                case .piece: "piece"
                case .end: Self.capture(engine)
                case .busy: "busy"
                case .failed(let error): error
                }
            steps.withLock { $0.append(name) }
        }
        reader.run()
        return steps.withLock { $0 }
    }

    private static func capture(_ engine: EmbeddedEngine) -> String {
        do throws(CaptureFailure) {
            try engine.capture().release()
            return "free"
        } catch { return "\(error)" }
    }

    @Test func `the files are let go of before the last bytes, and others make it busy`() throws {
        let configuration = LogConfiguration(directory: self.folder.path, owner: "tests")
        let engine = try EmbeddedEngine(opening: configuration)
        let pace = BackupPace()
        pace.goOn()
        #expect(self.steps(of: engine, pace) == ["begin", "free"])
        let other = try engine.capture()
        #expect(self.steps(of: engine, pace) == ["busy"])
        other.release()
        pace.stop()
        #expect(self.steps(of: engine, pace) == ["begin"])
        #expect(Self.capture(engine) == "free")
        engine.close()
        #expect(self.steps(of: engine, BackupPace()) == ["the service stops"])
    }
}
