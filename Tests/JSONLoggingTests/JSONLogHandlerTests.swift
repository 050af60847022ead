import Glibc
import JSON
import Logging
import Synchronization
import TestSupport
import Testing

@testable import JSONLogging

/// A handler over a file without a name, and the lines that came out of it.
final class Fixture: Sendable {
    private let descriptor: Int32
    let level: SharedLogLevel
    let output: LogOutput
    let levels = Mutex<[Logger.Level]>([])

    init(level: Logger.Level = .trace) {
        var path = Array("/tmp/log-line-XXXXXX".utf8CString)
        self.descriptor = mkstemp(&path)
        unlink(path)
        precondition(self.descriptor >= 0)
        self.level = SharedLogLevel(level)
        self.output = LogOutput(descriptor: self.descriptor)
    }

    deinit {
        close(self.descriptor)
    }

    func logger(metadataProvider: Logger.MetadataProvider? = nil) -> Logger {
        Logger(label: "test") { _ in
            JSONLogHandler(
                service: "kv-service",
                output: self.output,
                level: self.level,
                metadataProvider: metadataProvider,
                onMessage: { level in self.levels.withLock { $0.append(level) } }
            )
        }
    }

    /// The lines of everything logged so far.
    func lines() throws -> [StrictJSON] {
        #expect(self.output.flushAndStop(timeoutSeconds: 10))
        var bytes = [UInt8](repeating: 0, count: Int(lseek(self.descriptor, 0, SEEK_END)))
        #expect(pread(self.descriptor, &bytes, bytes.count, 0) == bytes.count)
        #expect(bytes.last == UInt8(ascii: "\n"))
        return try bytes.split(separator: UInt8(ascii: "\n")).map {
            try StrictJSONReader.read(Array($0))
        }
    }
}

struct DiskFailure: Error, CustomStringConvertible {
    let description = "write of 12 bytes to \"seg\n1\" failed: errno 5"
}

@Suite("A log line", .timeLimit(.minutes(1)))
struct JSONLogHandlerTests {
    @Test
    func `has level, time, service and message first, then the metadata by name, then the error`()
        throws
    {
        let fixture = Fixture()
        let before = Timestamp.nowRFC3339()
        fixture.logger().error(
            "commit failed",
            error: DiskFailure(),
            metadata: ["path": "/x", "errno": "5", "Zone": "a"]
        )
        let after = Timestamp.nowRFC3339()
        let line = try #require(try fixture.lines().first)
        #expect(
            line.names == ["level", "time", "service", "message", "Zone", "errno", "path", "error"]
        )
        #expect(line["level"]?.text == "error")
        #expect(line["service"]?.text == "kv-service")
        #expect(line["message"]?.text == "commit failed")
        #expect(line["errno"]?.text == "5")
        #expect(line["error"]?.text == "write of 12 bytes to \"seg\n1\" failed: errno 5")
        let time = try #require(line["time"]?.text)
        #expect(before <= time && time <= after)
    }

    @Test func `without metadata and error has four members`() throws {
        let fixture = Fixture()
        fixture.logger().info("listening")
        #expect(try fixture.lines().map(\.names) == [["level", "time", "service", "message"]])
    }

    @Test(
        arguments: zip(
            Logger.Level.allCases,
            ["trace", "debug", "info", "info", "warn", "error", "fatal"]
        )
    )
    func `spells the level as zerolog does and reports it once`(_ level: Logger.Level, _ name: String)
        throws
    {
        let fixture = Fixture()
        fixture.logger().log(level: level, "x")
        #expect(try fixture.lines().map { $0["level"]?.text } == [name])
        #expect(fixture.levels.withLock { $0 } == [level])
    }

    @Test func `is one line however hostile the message, the names and the values are`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let fixture = Fixture()
        let logger = fixture.logger()
        let count = 500
        var messages: [String] = []
        for _ in 0..<count {
            let text = String(decoding: HostileText.bytes(using: &generator), as: UTF8.self)
            messages.append(text)
            logger.info(
                "\(text)",
                metadata: ["k\(text)": "\(text)", "list": ["\(text)", ["m\(text)": "\(text)"]]]
            )
        }
        let lines = try fixture.lines()
        #expect(lines.count == count)
        for (line, text) in zip(lines, messages) {
            #expect(line["message"] == .text(text))
            #expect(line["k\(text)"] == .text(text))
            #expect(
                line["list"]
                    == .array([
                        .text(text), .object([StrictJSON.Member(name: "m\(text)", value: .text(text))]),
                    ])
            )
        }
    }

    @Test func `keeps numbers, Booleans, arrays and dictionaries as such`() throws {
        let fixture = Fixture()
        fixture.logger().info(
            "x",
            metadata: [
                "a": .stringConvertible(-3), "b": .stringConvertible(UInt64.max),
                "c": .stringConvertible(0.5),
                "d": .stringConvertible(true), "e": .stringConvertible(Substring("s")), "f": [],
                "g": ["y": "2", "x": ["1", .stringConvertible(1)]], "h": [:],
                "i": .stringConvertible(UInt8(7)),
            ]
        )
        let line = try #require(try fixture.lines().first)
        #expect(line["a"] == .number("-3"))
        #expect(line["b"] == .number("18446744073709551615"))
        #expect(line["c"] == .number("0.5"))
        #expect(line["d"] == .bool(true))
        #expect(line["e"] == .text("s"))
        #expect(line["f"] == .array([]))
        #expect(line["g"]?.names == ["x", "y"])
        #expect(line["g"]?["x"] == .array([.text("1"), .number("1")]))
        #expect(line["i"] == .number("7"))
    }

    @Test func `has no name twice, whatever the metadata is called`() throws {
        let fixture = Fixture()
        fixture.logger().info(
            "x",
            error: DiskFailure(),
            metadata: [
                "level": "1", "time": "2", "service": "3", "message": "4", "error": "5",
                "metadata_error": "6",
            ]
        )
        fixture.logger().info("x", metadata: ["error": "5"])
        let lines = try fixture.lines()
        #expect(lines[0]["message"]?.text == "x")
        #expect(lines[0]["metadata_level"]?.text == "1")
        #expect(lines[0]["metadata_time"]?.text == "2")
        #expect(lines[0]["metadata_service"]?.text == "3")
        #expect(lines[0]["metadata_message"]?.text == "4")
        #expect(lines[0]["metadata_error"]?.text == "6")
        #expect(lines[0]["metadata_metadata_error"]?.text == "5")
        #expect(lines[1]["error"]?.text == "5")
    }

    @Test func `takes the event's metadata over the provider's over the logger's`() throws {
        let fixture = Fixture()
        var logger = fixture.logger(
            metadataProvider: Logger.MetadataProvider { ["b": "provider", "c": "provider"] }
        )
        logger[metadataKey: "a"] = "logger"
        logger[metadataKey: "b"] = "logger"
        logger[metadataKey: "c"] = "logger"
        logger.info("x", metadata: ["c": "event"])
        let line = try #require(try fixture.lines().first)
        #expect(["a", "b", "c"].map { line[$0]?.text } == ["logger", "provider", "event"])
    }
}
