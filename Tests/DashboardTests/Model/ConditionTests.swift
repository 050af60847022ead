import DashboardModel
import DashboardRender
import TestSupport
import Testing

@Suite("What an operator must see at once", .timeLimit(.minutes(1)))
struct ConditionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let changes: [(text: String, becomes: String)]
        let level: AlarmLevel
        let text: String
        var testDescription: String { self.text }
    }

    private static let always = #""fsync_policy":"always","warning":null"#
    private static let check = #"{"name":"log_writable","status":"ok","message":null}"#
    private static let spaceless = #"{"name":"disk_space","status":"warning","message":"ENOSPC"}"#
    private static let unwritable = #"{"name":"log_writable","status":"failing","message":"EIO"}"#

    /// Of two certificates, one of which is good for long.
    private static func expiry(_ seconds: Int, _ level: AlarmLevel, _ text: String) -> Case {
        let certificates = #"{"name":"listener","expires_in_seconds":9999999},{"name":"upstream","expires_in_seconds":"#
        return Case(
            changes: [(#""log":{"path""#, #""certificates":[\#(certificates)\#(seconds)}],"log":{"path""#)],
            level: level, text: text)
    }

    static let cases = [
        Case(
            changes: [
                (#""state":"ready""#, #""state":"read_only""#),
                (#""read_only":{"enabled":false}"#, #""read_only":{"enabled":true}"#),
            ], level: .warning, text: "read-only"),
        Case(
            changes: [
                (#""state":"ready""#, #""state":"draining""#),
                (#""drain":{"enabled":false}"#, #""drain":{"enabled":true}"#),
            ],
            level: .warning, text: "draining"),
        Case(changes: [(#""state":"ready""#, #""state":"stopping""#)], level: .warning, text: "stopping"),
        Case(changes: [(#""state":"ok""#, #""state":"disk_full""#)], level: .critical, text: "disk full"),
        Case(
            changes: [
                (#""state":"ready""#, #""state":"failed""#), (#""state":"ok""#, #""state":"failed""#),
                (Self.check, Self.unwritable),
            ], level: .critical, text: "log failed"),
        Case(
            changes: [
                (#""log":{"path""#, #""memory":{"state":"full","used_ratio":0.93},"log":{"path""#),
                (Self.check, #"{"name":"memory","status":"warning","message":"full"}"#),
            ], level: .critical, text: "memory full 93% used"),
        Case(
            changes: [(#""log":{"path""#, #""memory":{"state":"ok","used_ratio":0.85},"log":{"path""#)],
            level: .warning, text: "memory 85% used"),
        Case(
            changes: [(Self.check, #"{"name":"upstream_access","status":"warning","message":"refused"}"#)],
            level: .warning, text: "access key refused"),
        Self.expiry(1_123_200 + 4 * 3_600, .warning, "certificate 13d left"),
        Self.expiry(172_799, .critical, "certificate 1d left"),
        Self.expiry(-1, .critical, "certificate expired"),
        Case(changes: [(Self.check, Self.unwritable)], level: .critical, text: "log not writable"),
        Case(
            changes: [(#""state":"ok""#, #""state":"disk_full""#), (Self.check, "\(Self.check),\(Self.spaceless)")],
            level: .critical, text: "disk full"),
        Case(changes: [(Self.check, "\(Self.check),\(Self.spaceless)")], level: .critical, text: "disk full"),
        Case(
            changes: [(Self.check, #"{"name":"slow_clock","status":"warning","message":"late"}"#)], level: .warning,
            text: "slow_clock fails"),
        Case(
            changes: [(Self.always, #""fsync_policy":"never","warning":"writes can be lost""#)], level: .warning,
            text: "sync never"),
        Case(
            changes: [(Self.always, #""fsync_policy":"interval","warning":"writes can be lost""#)], level: .warning,
            text: "sync interval"),
        Case(
            changes: [(#""consecutive_failures":0"#, #""consecutive_failures":1"#)], level: .warning,
            text: "compaction failed"),
        Case(
            changes: [
                (#""state":"idle""#, #""state":"backing_off""#),
                (#""consecutive_failures":0"#, #""consecutive_failures":3"#),
            ], level: .warning, text: "3 compactions failed"),
        Case(changes: [(#""state":"idle""#, #""state":"blocked""#)], level: .warning, text: "compaction blocked"),
        Case(changes: [(#""findings_total":0"#, #""findings_total":2"#)], level: .critical, text: "2 damaged files"),
        Case(changes: [(#""lost_revisions":0"#, #""lost_revisions":1"#)], level: .critical, text: "1 change lost"),
        Case(
            changes: [(#""available_bytes":41000000000"#, #""available_bytes":4000000000"#)], level: .critical,
            text: "disk 96% used"),
    ]

    private static let quiet = Scenario.incident([])

    /// Each once, even if several members of the document report it.
    @Test(arguments: Self.cases) func `is an alarm and stands by name in the first line of 80 columns`(_ case: Case)
        throws
    {
        #expect(Self.quiet.conditions.isEmpty)
        let dashboard = Scenario.incident(`case`.changes)
        let conditions = dashboard.targets[0].conditions
        #expect(conditions.map(\.text) == [`case`.text])
        #expect(conditions.map(\.level) == [`case`.level])
        #expect(dashboard.alarmCount == Self.quiet.alarmCount + 1)
        let screen = Renderer.screen(dashboard, ViewState(), columns: 80, rows: 24, Capabilities())
        #expect(screen.lines[0].contains(" 1 alarm: kv \(`case`.text)  "), "\(screen.lines[0])")
        #expect(screen.lines[0].hasSuffix(Self.clock), "\(screen.lines[0])")
    }

    private static let clock = "14:03:22"

    @Test func `the worst stands first, of all services`() throws {
        var dashboard = Scenario.incident([
            (#""drain":{"enabled":false}"#, #""drain":{"enabled":true}"#),
            (Self.always, #""fsync_policy":"never","warning":"w""#),
            (#""state":"ok""#, #""state":"disk_full""#),
        ])
        let gateway = FakeAdmin.gateway(31).replacing(#""status":"ok""#, with: #""status":"failing""#)
        dashboard.apply(Scenario.poll(1, at: dashboard.now, [:], admin: gateway))
        #expect(
            dashboard.conditions.map { "\($0.service) \($0.condition.text)" } == [
                "kv disk full", "gw upstream not ready", "kv draining", "kv sync never",
            ])
        func first(_ columns: Int) -> String {
            Renderer.screen(dashboard, ViewState(), columns: columns, rows: 24, Capabilities()).lines[0]
        }
        #expect(first(80).contains(" 4 alarms: kv disk full  "), "\(first(80))")
        #expect(
            first(120).contains(" 4 alarms: kv disk full, gw upstream not ready, kv draining"),
            "\(first(120))")
    }

    @Test func `two of one service stand together at 80 columns`() {
        let dashboard = Scenario.incident([
            (#""read_only":{"enabled":false}"#, #""read_only":{"enabled":true}"#),
            (#""state":"ok""#, #""state":"disk_full""#),
        ])
        let line = Renderer.screen(dashboard, ViewState(), columns: 80, rows: 24, Capabilities()).lines[0]
        #expect(line.contains(" 2 alarms: kv disk full, read-only  ") && line.hasSuffix(Self.clock), "\(line)")
    }

    @Test func `an upstream that is drained is told, and probes that are answered 503 are no alarm`() {
        var dashboard = Scenario.idle()
        let drained = FakeAdmin.gateway(31).replacing(#""up":true"#, with: #""up":false"#)
        dashboard.apply(Scenario.poll(1, at: dashboard.now + 1, [:], admin: drained))
        #expect(dashboard.conditions.map { "\($0.service) \($0.condition.text)" } == ["gw upstream not ready"])
        #expect(dashboard.alarmCount == 1)
        let counts = FakeMetrics(handlers: [
            .init(name: "readyz", statuses: [(503, 50)], buckets: FakeMetrics.buckets(count: 50, median: 1e-4)),
            .init(name: "kv_get", statuses: [(503, 50)], buckets: FakeMetrics.buckets(count: 50, median: 1e-4)),
        ])
        var other = Dashboard(targets: Incident.targets, now: 1_000, wallTime: Incident.end)
        for (second, metrics) in [(0, FakeMetrics(handlers: [])), (1, counts)] {
            let text = second == 0 ? Array("http_requests_in_flight 0\n".utf8) : metrics.text
            other.apply(
                PollResult(
                    reading: RawPoll(
                        target: 0, receivedAt: 1_000 + Double(second), wallTime: Incident.end, roundTripSeconds: 0,
                        metrics: .success(text), admin: .success(Array(FakeAdmin.kv(0, .idle).utf8)))))
        }
        let levels = other.targets[0].figures?.handlers.map { "\($0.name) \($0.level)" }
        #expect(levels == ["kv_get critical", "readyz none"])
    }

    @Test func `an upstream of several is told by its name`() {
        var dashboard = Scenario.idle()
        func conditions(_ change: (String) -> String) -> [String] {
            dashboard.apply(
                Scenario.poll(1, at: dashboard.now + 1, [:], admin: change(FakeAdmin.severalUpstreams(31))))
            return dashboard.conditions.map { "\($0.condition.level) \($0.service) \($0.condition.text)" }
        }
        #expect(conditions { $0 } == ["critical gw customers-eu unreachable", "warning gw main draining"])
        func withWritesOpen(_ text: String) -> String {
            text.replacing(
                #""circuit":{"state":"closed","opened_at":null}"#,
                with: #""circuit":{"state":"open","reads":{"state":"closed"},"writes":{"state":"open"}}"#)
        }
        #expect(
            conditions { withWritesOpen($0.replacing(#""up":false"#, with: #""up":true"#)) } == [
                "critical gw customers-eu circuit open", "warning gw orders no writes", "warning gw main no writes",
            ])
        // What only the check tells.
        #expect(
            conditions {
                $0.replacing(#""up":false"#, with: #""up":true"#).replacing(#""ready":false"#, with: #""ready":true"#)
                    .replacing(#""state":"open""#, with: #""state":"closed""#)
            } == ["warning gw an upstream not ready"])
    }

    @Test func `a service that is down has none of them`() {
        var dashboard = Scenario.incident([(#""drain":{"enabled":false}"#, #""drain":{"enabled":true}"#)])
        for poll in 1...3 {
            dashboard.apply(Scenario.miss(0, at: dashboard.now + 1, wallTime: Incident.end + Double(poll)))
        }
        #expect(dashboard.conditions.isEmpty)
        #expect(dashboard.alarmCount == 1)
    }
}
