import ServiceKit
import Testing
import TransactionLog

@testable import HTTP1
@testable import HTTPServing
@testable import KVService
@testable import LogFormat
@testable import ServiceSettings

@Suite("Sync modes", .timeLimit(.minutes(1)))
struct SyncModeTests {
    @Test("other than always come with a warning")
    func warnings() {
        #expect(SyncMode.always.warning == nil)
        #expect(SyncMode.never.warning != nil)
        #expect(SyncMode.interval(milliseconds: 100).warning != nil)
        #expect(SyncMode.interval(milliseconds: 250).intervalSeconds == 0.25)
    }
}
