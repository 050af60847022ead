import Logging
import Synchronization
import TestSupport
import Testing

@testable import JSONLogging

@Suite("A logger", .timeLimit(.minutes(1)))
struct LoggerTests {
    @Test func `keeps its level and metadata to itself`() {
        let fixture = Fixture()
        var first = fixture.logger()
        first.logLevel = .debug
        first[metadataKey: "only-on"] = "first"
        var second = first
        second.logLevel = .error
        second[metadataKey: "only-on"] = "second"
        #expect(first.logLevel == .debug)
        #expect(second.logLevel == .error)
        #expect(first[metadataKey: "only-on"] == "first")
        #expect(second[metadataKey: "only-on"] == "second")
        #expect(fixture.level.value == .trace)
    }

    @Test func `follows the level of the process while it has none of its own`() throws {
        let fixture = Fixture(level: .warning)
        let logger = fixture.logger()
        var own = fixture.logger()
        own.logLevel = .info
        logger.info("1")
        own.info("2")
        fixture.level.value = .debug
        logger.debug("3")
        own.debug("4")
        fixture.level.value = .critical
        logger.error("5")
        logger.critical("6")
        #expect(try fixture.lines().map { $0["message"]?.text } == ["2", "3", "6"])
        #expect(fixture.levels.withLock { $0 } == [.info, .debug, .critical])
    }

    @Test func `shares a level that reads back whatever was set`() {
        let level = SharedLogLevel(.info)
        for value in Logger.Level.allCases {
            level.value = value
            #expect(level.value == value)
        }
    }
}
