import DashboardModel
import DashboardPolling
import DashboardRender
import TestSupport
import Testing

@Suite("The answer to an action", .timeLimit(.minutes(1)))
struct ActionAnswerTests {
    @Test func `is told in the service's own words`() {
        #expect(
            ActionOutcome(status: 202, body: Array(#"{"run_id":7}"#.utf8))
                == ActionOutcome(text: "compaction accepted: run 7", level: .info))
        #expect(ActionOutcome(status: 202, body: []).text == "compaction accepted")
        let conflict = ActionOutcome(
            status: 409, body: Array(#"{"title":"Conflict","detail":"Run 6 is under way.","code":"running"}"#.utf8))
        #expect(conflict.text == "compaction refused: HTTP 409 Conflict: Run 6 is under way.")
        #expect(conflict.level == .warning)
        #expect(ActionOutcome(status: 500, body: Array("boom".utf8)).text == "compaction refused: HTTP 500 boom")
    }
}
