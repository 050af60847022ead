import Logging
import Synchronization

/// Keeps log lines for a test: `level message`, and their metadata.
final class LogRecorder: Sendable {
    struct Line: Sendable {
        let text: String
        let metadata: [String: String]
    }

    private let recorded = Mutex<[Line]>([])

    var lines: [Line] { self.recorded.withLock { $0 } }

    func handler() -> any LogHandler { Handler(recorder: self) }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).mapValues { "\($0)" }
            self.recorder.recorded.withLock {
                $0.append(Line(text: "\(event.level) \(event.message)", metadata: metadata))
            }
        }
    }
}
