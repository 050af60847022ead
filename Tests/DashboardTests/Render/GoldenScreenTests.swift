import DashboardModel
import DashboardRender
import TestSupport
import Testing

@Suite("Golden screens", .timeLimit(.minutes(1)))
struct GoldenScreenTests {
    struct Size: Sendable, CustomTestStringConvertible {
        let columns: Int
        let rows: Int
        var testDescription: String { "\(self.columns)x\(self.rows)" }
    }

    static let sizes = [(80, 24), (100, 30), (160, 45), (200, 60)].map { Size(columns: $0.0, rows: $0.1) }
    static let incident = Incident.dashboard()

    private func screen(
        _ dashboard: Dashboard, _ size: Size, _ capabilities: Capabilities = Capabilities(),
        change: (inout ViewState) -> Void = { _ in }
    ) -> Screen {
        var view = ViewState()
        change(&view)
        return Renderer.screen(dashboard, view, columns: size.columns, rows: size.rows, capabilities)
    }

    @Test(arguments: Self.sizes) func `in UTF-8 with colours`(_ size: Size) throws {
        try Golden.check(self.screen(Self.incident, size), "overview-\(size.testDescription)-utf8")
    }

    @Test(arguments: Self.sizes) func `in ASCII`(_ size: Size) throws {
        let screen = self.screen(Self.incident, size, Capabilities(isUTF8: false))
        #expect(screen.cells.allSatisfy { $0.scalar.isASCII })
        try Golden.check(screen, "overview-\(size.testDescription)-ascii")
    }

    @Test(arguments: Self.sizes) func `without colours, with their tones`(_ size: Size) throws {
        let screen = self.screen(Self.incident, size, Capabilities(hasColor: false))
        try Golden.check(screen, "overview-\(size.testDescription)-mono", withTones: true)
    }

    @Test(arguments: [(40, 10), (60, 20), (79, 24), (120, 40), (160, 24), (130, 60)])
    func `of sizes in between`(_ columns: Int, _ rows: Int) throws {
        try Golden.check(
            self.screen(Self.incident, Size(columns: columns, rows: rows)), "overview-\(columns)x\(rows)-utf8")
    }

    @Test(arguments: [ViewState.View.kvService, .gateway, .log, .events])
    func `of each view`(_ view: ViewState.View) throws {
        let size = Size(columns: 100, rows: 30)
        try Golden.check(self.screen(Self.incident, size) { $0.view = view }, "view-\(view)-100x30-utf8")
    }

    @Test func `of the log at 80x24`() throws {
        try Golden.check(
            self.screen(Self.incident, Self.sizes[0]) { $0.view = .log }, "view-log-80x24-utf8")
    }

    @Test func `of the help and of the question before a compaction`() throws {
        try Golden.check(self.screen(Self.incident, Self.sizes[0]) { $0.isHelpShown = true }, "help-80x24-utf8")
        try Golden.check(self.screen(Self.incident, Self.sizes[2]) { $0.isHelpShown = true }, "help-160x45-utf8")
        try Golden.check(
            self.screen(Self.incident, Self.sizes[0]) { $0.dialog = .compact(target: 0) }, "compact-80x24-utf8")
        try Golden.check(
            self.screen(Self.incident, Self.sizes[0], Capabilities(isUTF8: false)) { $0.dialog = .compact(target: 0) },
            "compact-80x24-ascii")
    }

    @Test func `before the first answer, after one poll, and of an idle service`() throws {
        let empty = Dashboard(targets: Incident.targets, now: 1_000, wallTime: Incident.end)
        try Golden.check(self.screen(empty, Self.sizes[0]), "first-none-80x24-utf8")
        try Golden.check(self.screen(Incident.dashboard(seconds: 0), Self.sizes[0]), "first-one-80x24-utf8")
        try Golden.check(
            self.screen(Scenario.idle(), Self.sizes[0]), "idle-80x24-utf8")
    }

    @Test func `of a kv-service that is stale, down, and not reporting compaction`() throws {
        try Golden.check(self.screen(Scenario.missed(polls: 1), Self.sizes[0]), "stale-80x24-utf8")
        try Golden.check(self.screen(Scenario.missed(polls: 3), Self.sizes[0]), "down-80x24-utf8")
        try Golden.check(
            self.screen(Incident.dashboard(seconds: 30, compaction: .notReported), Self.sizes[0]),
            "not-reported-80x24-utf8")
        try Golden.check(
            self.screen(Incident.dashboard(seconds: 30, compaction: .idle), Self.sizes[0]),
            "compaction-idle-80x24-utf8")
    }

    @Test(arguments: [Size(columns: 80, rows: 24), Size(columns: 100, rows: 30), Size(columns: 160, rows: 45)])
    func `of a gateway with several upstreams`(_ size: Size) throws {
        let dashboard = Incident.dashboard(seconds: 60, gatewayAdmin: FakeAdmin.severalUpstreams)
        try Golden.check(self.screen(dashboard, size), "upstreams-\(size.testDescription)-utf8")
    }

    @Test func `of several upstreams alone`() throws {
        let dashboard = Incident.dashboard(seconds: 60, gatewayAdmin: FakeAdmin.severalUpstreams)
        try Golden.check(
            self.screen(dashboard, Size(columns: 100, rows: 30)) { $0.view = .gateway },
            "upstreams-view-gateway-100x30-utf8")
    }

    /// Conditions that need an operator are named in the first line; details are where they belong.
    @Test(arguments: [Size(columns: 80, rows: 24), Size(columns: 160, rows: 45), Size(columns: 40, rows: 10)])
    func `of a kv-service that is read-only, cannot compact and has no space`(_ size: Size) throws {
        let dashboard = Scenario.incident([
            (#""state":"ready""#, #""state":"read_only""#),
            (#""read_only":{"enabled":false}"#, #""read_only":{"enabled":true}"#),
            (#""state":"ok""#, #""state":"disk_full""#),
            (#""last_error":null"#, #""last_error":"no space left on device""#),
            (#""state":"idle""#, #""state":"backing_off""#),
            (
                #""consecutive_failures":0,"retry_at":null"#,
                #""consecutive_failures":2,"retry_at":"2026-11-22T14:08:00Z""#
            ),
        ])
        try Golden.check(self.screen(dashboard, size), "conditions-\(size.testDescription)-utf8")
    }
}
