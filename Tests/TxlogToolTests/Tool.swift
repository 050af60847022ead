import Foundation
import Glibc
import KeyValueStore
import LogFormat
import OfflineStore
import TestSupport
import TransactionLog

/// One run of the program, the debug build beside the tests.
struct Tool {
    let status: Int32
    let output: String
    let error: String

    /// - Parameter setting: a command of the shell that comes first, such as one that sets a limit.
    @discardableResult
    init(under setting: String = ":", _ arguments: String..., input: String? = nil) throws {
        try self.init(under: setting, arguments: arguments, input: input)
    }

    init(under setting: String, arguments: [String], input: String? = nil) throws {
        let run = try ProgramRun("txlog", under: setting, arguments: arguments, input: Array((input ?? "").utf8))
        self.status = run.status
        self.output = run.output
        self.error = run.error
    }

    /// The output as one JSON object.
    func json() throws -> [String: Any] { try JSONObject(self.output.utf8).members }
}

extension TemporaryFolder {
    /// Whether it is a file of zeros that waits to become a segment.
    func isPrepared(_ name: String) -> Bool {
        let bytes = FileManager.default.contents(atPath: self.file(name))
        return name.hasSuffix(".log") && bytes?.prefix(4_096).allSatisfy { $0 == 0 } == true
    }

    /// Everything that a command could change.
    var state: [String: String] {
        var state: [String: String] = [:]
        for name in FileManager.default.enumerator(atPath: self.path)?.compactMap({ $0 as? String }) ?? [] {
            let attributes = (try? FileManager.default.attributesOfItem(atPath: self.file(name))) ?? [:]
            let content = FileManager.default.contents(atPath: self.file(name))
            state[name] =
                "\(attributes[.modificationDate] ?? "") \(attributes[.systemFileNumber] ?? "") "
                + "\(content?.base64EncodedString() ?? "")"
        }
        return state
    }
}

/// A store made through the log: `key-0001` … with a value each, in segments of 16 KiB, ten changes to a frame.
struct MadeStore {
    let folder = TemporaryFolder()
    /// Where the last frame of the active segment ends.
    let end: UInt64
    static let keys = 500

    static func key(_ number: Int) -> String { "key-\(String(number + 10_000).dropFirst())" }
    static func value(_ number: Int) -> String { "value \(number) " + String(repeating: "v", count: 80) }

    static func configuration(_ directory: String) -> LogConfiguration {
        var configuration = LogConfiguration(directory: directory, owner: "tests, process \(getpid())")
        configuration.segmentBytes = 16_384
        configuration.heartbeatMilliseconds = 1_000_000
        configuration.compaction.minBytes = .max
        return configuration
    }

    /// - Parameter closed: false to leave the folder as a `kill -9` leaves it.
    init(closed: Bool = true) throws {
        let made = TemporaryFolder()
        let engine = try EmbeddedEngine(opening: Self.configuration(made.path))
        let writer = BulkWriter(engine)
        for number in 1...Self.keys {
            try writer.set(Array(Self.key(number).utf8), Array(Self.value(number).utf8))
            if number % 10 == 0 { try writer.finish() }
        }
        if closed { engine.close() }
        self.end = engine.statistics.space.segments.last!.sizeBytes
        for name in try FileManager.default.contentsOfDirectory(atPath: made.path)
        where name != "LOCK" && name != "MANIFEST.tmp" && !name.hasSuffix(".prepared") && !made.isPrepared(name) {
            try FileManager.default.copyItem(atPath: made.file(name), toPath: self.folder.file(name))
        }
        if !closed { engine.close() }
    }

    var path: String { self.folder.path }

    /// Names with an ending, in the order of the log.
    func files(_ ending: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: self.path).filter { $0.hasSuffix(ending) }.sorted()
    }

    func patch(_ name: String, at offset: Int, _ bytes: [UInt8]) throws {
        var content = try Data(contentsOf: URL(fileURLWithPath: self.folder.file(name)))
        content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        try content.write(to: URL(fileURLWithPath: self.folder.file(name)))
    }

    /// Opens the store as kv-service does and says its records and newest revision.
    func open() throws -> (values: [String: String], lastRevision: UInt64) {
        let engine = try EmbeddedEngine(opening: Self.configuration(self.path))
        engine.close()
        return (try self.records(), engine.report.lastRevision)
    }

    func records() throws -> [String: String] {
        var values: [String: String] = [:]
        try StoreImage(reading: self.path).forEach { record in
            values[String(decoding: record.key, as: UTF8.self)] = String(decoding: record.value, as: UTF8.self)
            return true
        }
        return values
    }
}
