import Glibc
import JSON
import KeyValueClient
import SystemSupport

/// An import from its first line to its last. Confined to the main thread.
struct ImportRun {
    /// A value of the largest size that a service can be configured for, every byte escaped.
    private static let lineLimitBytes = 64 << 20
    private static let kind = "import"

    private let source: String
    private let size: UInt64?
    private var lines: LineReader
    private var checkpoint: Checkpoint?
    private let flight: ImportFlight
    private let begin: ImportFlight.Place
    private let progress = ProgressLine("importing")

    /// - Parameters:
    ///   - source: `-` for standard input.
    ///   - checkpoint: of an earlier import, which this one continues.
    init(
        _ source: String, checkpoint: String?, parallel: Int,
        set: @escaping @Sendable (ImportedRecord) async throws -> Void
    ) throws {
        self.source = Input.name(source)
        let descriptor = try Input.open(source)
        self.size = Input.size(descriptor)
        self.lines = LineReader(descriptor: descriptor, limitBytes: Self.lineLimitBytes)
        self.checkpoint = checkpoint.map(Checkpoint.init)
        var begin = ImportFlight.Place()
        if let checkpoint = self.checkpoint, let tree = try checkpoint.read(Self.kind) {
            guard let line = tree["line"]?.int, let offset = tree["offset"]?.unsigned else { throw checkpoint.unusable }
            begin = ImportFlight.Place(line: line, offset: offset)
        }
        self.begin = begin
        self.flight = ImportFlight(parallel: parallel, from: begin, set: set)
    }

    /// Records that this run has set.
    var records: Int { self.flight.records }

    /// Reads all lines and sets nothing.
    mutating func check() throws -> (records: Int, bytes: UInt64) {
        var count = 0
        while try self.next() != nil {
            count += 1
            self.showProgress(records: count)
        }
        self.progress.end()
        return (count, self.lines.bytesRead)
    }

    /// Sets all records from the checkpoint on. Writes the checkpoint, however it ends.
    mutating func perform(isJSON: Bool) throws {
        try self.skipAppliedLines()
        var refused: CommandFailure?
        do {
            while let record = try self.next() {
                let place = ImportFlight.Place(line: self.lines.number, offset: self.lines.bytesRead)
                let isBegun = try self.flight.submit(record, place) { self.showProgress(records: self.records) }
                if !isBegun { break }
                self.showProgress(records: self.records)
                if self.checkpoint?.isDue == true { try self.writeCheckpoint() }
            }
        } catch let failure as CommandFailure { refused = failure }
        self.flight.finish { self.showProgress(records: self.records) }
        self.progress.end()
        try self.writeCheckpoint()
        if let failure = self.flight.failure {
            throw CommandFailure(failure.error, isJSON: isJSON, place: "\(self.source) line \(failure.line)")
        }
        if let refused { throw refused }
    }

    /// - Throws: if the checkpoint is of another file.
    private mutating func skipAppliedLines() throws {
        while self.lines.bytesRead < self.begin.offset, try self.nextLine() != nil {}
        let place = ImportFlight.Place(line: self.lines.number, offset: self.lines.bytesRead)
        if place != self.begin, let checkpoint { throw checkpoint.unusable }
    }

    private mutating func writeCheckpoint() throws {
        let applied = self.flight.applied
        try self.checkpoint?.write(Self.kind) { object in
            object.member("line", applied.line)
            object.member("offset", applied.offset)
        }
    }

    private mutating func next() throws -> ImportedRecord? {
        while let line = try self.nextLine() {
            if line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\t") }) {
                continue
            }
            do throws(ImportedRecord.Malformed) { return try ImportedRecord(line) } catch {
                let torn = self.lines.wasEnded ? "" : "; it is the last line and has no newline: it may be cut off"
                throw self.damaged("\(error.detail)\(torn)")
            }
        }
        return nil
    }

    private mutating func nextLine() throws(CommandFailure) -> [UInt8]? {
        do throws(LineReaderError) { return try self.lines.next() } catch {
            switch error {
            case .tooLong(let limit): throw self.damaged("it is longer than \(limit) bytes")
            case .failed(let code): throw Input.failure("read", self.source, code)
            }
        }
    }

    private func damaged(_ detail: String) -> CommandFailure {
        CommandFailure(.failure, "\(self.source) line \(self.lines.number): \(detail)")
    }

    private func showProgress(records: Int) {
        self.progress.update(
            ImportProgress(
                records: records, seconds: self.progress.seconds,
                bytes: self.lines.bytesRead - min(self.lines.bytesRead, self.begin.offset),
                totalBytes: self.size.map { $0 - min($0, self.begin.offset) }
            ).text)
    }
}

/// What the progress line shows.
struct ImportProgress {
    let records: Int
    let seconds: Double
    /// Of the lines that were read, and of all lines; nil for a pipe.
    let bytes: UInt64
    let totalBytes: UInt64?

    var text: String {
        let rate = "\(self.records) records, \(Int(Double(self.records) / max(self.seconds, 0.001)))/s"
        guard let total = self.totalBytes, total > 0, self.bytes > 0 else { return rate }
        let share = min(1, Double(self.bytes) / Double(total))
        let left = Int((self.seconds * (1 - share) / share).rounded(.up))
        return "\(rate), \(Int(share * 100)) %, \(left) s left"
    }
}
