import DashboardModel
import Testing

@Suite("A target", .timeLimit(.minutes(1)))
struct AvailabilityTests {
    private func dashboard() -> Dashboard {
        Dashboard(targets: Incident.targets, now: 0, wallTime: Incident.end)
    }

    @Test func `that never answered is down at once, with the reason`() {
        var dashboard = self.dashboard()
        #expect(dashboard.targets[0].availability == .connecting)
        dashboard.apply(Scenario.miss(0, at: 1, wallTime: Incident.end))
        #expect(dashboard.targets[0].availability == .down)
        #expect(dashboard.events.map(\.text) == ["does not answer: connection refused"])
    }

    @Test func `is stale after one missed poll, down after three, and up again with the first answer`() {
        var dashboard = self.dashboard()
        dashboard.apply(Scenario.poll(0, at: 1, ["kv_get": 1]))
        dashboard.apply(Scenario.poll(0, at: 2, ["kv_get": 2]))
        #expect(dashboard.targets[0].availability == .up)
        var seen: [TargetState.Availability] = []
        for second in 3...6 {
            dashboard.apply(Scenario.miss(0, at: Double(second), wallTime: Incident.end))
            seen.append(dashboard.targets[0].availability)
            #expect((dashboard.targets[0].figures == nil) == (second >= 5), "old figures, then none")
        }
        #expect(seen == [.stale, .stale, .down, .down])
        dashboard.apply(Scenario.poll(0, at: 7, ["kv_get": 3]))
        #expect(dashboard.targets[0].availability == .up)
        #expect(
            dashboard.events.map(\.text)
                == ["answers at 127.0.0.1:8081", "no longer answers: connection refused", "is back after 5 s"])
        #expect(dashboard.targets[0].session.missedPolls == 4)
    }

    @Test func `that is lost does not touch the other`() {
        var dashboard = self.dashboard()
        for second in 1...9 {
            dashboard.apply(
                second < 4
                    ? Scenario.poll(0, at: Double(second), ["kv_get": second])
                    : Scenario.miss(0, at: Double(second), wallTime: Incident.end))
            dashboard.apply(Scenario.poll(1, at: Double(second), ["api_get": second * 10]))
        }
        #expect(dashboard.targets[0].availability == .down)
        #expect(dashboard.targets[1].availability == .up)
        #expect(dashboard.targets[1].figures?.data.rate == 10)
    }

    @Test func `that answers one document only is up, and shows that one`() {
        var dashboard = self.dashboard()
        var poll = Scenario.poll(0, at: 1, [:])
        poll.metrics = .failure(PollFailure("HTTP 503", isAnswer: true))
        for second in 1...4 {
            poll.receivedAt = Double(second)
            dashboard.apply(poll)
        }
        let target = dashboard.targets[0]
        #expect(target.availability == .up)
        #expect(target.failure?.reason == "HTTP 503")
        #expect(target.metrics == nil)
        #expect(target.admin?.state == "ready")
    }

    @Test func `whose state, checks or circuit change is told of`() throws {
        var dashboard = self.dashboard()
        var poll = Scenario.poll(1, at: 1, [:])
        dashboard.apply(poll)
        var admin = try poll.admin.get()
        admin.state = "draining"
        admin.stateReason = "asked to"
        admin.checks[0].isOK = false
        admin.upstreams[0].circuit = "open"
        admin.upstreams[0].isUp = false
        poll.admin = .success(admin)
        poll.receivedAt = 2
        dashboard.apply(poll)
        #expect(
            dashboard.events.dropFirst().map(\.text) == [
                "ready, now draining: asked to", "check upstream_reachable fails",
                "upstream kv-service is down: connection refused", "circuit to kv-service open",
            ])
    }

    @Test func `whose compaction starts and ends is told of, unless it tells itself`() throws {
        for reportsEvents in [false, true] {
            var dashboard = self.dashboard()
            var poll = Scenario.poll(0, at: 1, [:])
            if reportsEvents { poll.events = [] }
            var admin = try poll.admin.get()
            admin.compaction = try AdminSnapshot(
                parsing: Array(#"{"compaction":{"running":false}}"#.utf8)
            ).compaction
            poll.admin = .success(admin)
            dashboard.apply(poll)
            poll.receivedAt = 2
            admin.compaction?.isRunning = true
            poll.admin = .success(admin)
            dashboard.apply(poll)
            poll.receivedAt = 3
            admin.compaction = try AdminSnapshot(
                parsing: Array(
                    #"""
                    {"compaction":{"running":false,"last":{"result":"ok","started_at":"2026-11-22T13:21:07Z",
                     "duration_seconds":22.1,"bytes_before":4320000000,"bytes_after":3420000000}}}
                    """#.utf8)
            ).compaction
            poll.admin = .success(admin)
            dashboard.apply(poll)
            let told = dashboard.events.dropFirst().map(\.text)
            #expect(told == (reportsEvents ? [] : ["compaction started", "compaction done in 22.1s, 900M freed"]))
        }
    }

    @Test func `is told of by its own events once`() {
        var dashboard = self.dashboard()
        var poll = Scenario.poll(0, at: 1, [:])
        poll.events = [
            ServiceEvent(instance: "a", number: 1, at: 5, level: .warning, text: "one"),
            ServiceEvent(instance: "a", number: 2, at: 6, level: .info, text: "two"),
        ]
        dashboard.apply(poll)
        // In the same millisecond as the previous one.
        poll.events?.append(ServiceEvent(instance: "a", number: 3, at: 6, level: .info, text: "three"))
        poll.receivedAt = 2
        dashboard.apply(poll)
        #expect(dashboard.events.map(\.text) == ["one", "two", "three", "answers at 127.0.0.1:8081"])
        // Restarted, with its clock set back meanwhile.
        poll.events = [ServiceEvent(instance: "b", number: 1, at: 4, level: .info, text: "four")]
        for receivedAt in [3.0, 4.0] {
            poll.receivedAt = receivedAt
            dashboard.apply(poll)
        }
        #expect(dashboard.events.map(\.text).sorted() == ["answers at 127.0.0.1:8081", "four", "one", "three", "two"])
    }

    @Test func `reads the events as services write them`() throws {
        let text = #"""
            {"schema_version":1,"service":"kv-service","instance_id":"7af0baa88b73eede","now":"2026-11-23T05:00:09.000Z",
             "last_number":6,"missed":0,"events":[
             {"number":3,"time":"2026-11-23T05:00:01.250Z","kind":"ready","severity":"info","message":"ready","details":{}},
             {"number":2,"time":"2026-11-23T05:00:01.000Z","kind":"disk_full","severity":"error","message":"no space",
              "details":{"error":"pwrite: No space left on device"}},
             {"number":4,"time":"2026-11-23T05:00:02.000Z","kind":"compaction_ended","severity":"info",
              "message":"compaction done","details":{"run_id":1,"trigger":"admin","result":"ok","duration_seconds":22.1,
              "bytes_before":4320000000,"bytes_after":3420000000}},
             {"number":5,"time":"2026-11-23T05:00:03.000Z","kind":"log_level_changed","severity":"warning",
              "message":"log level changed","details":{"from":"info","to":"debug","request_id":"r"}},
             {"number":6,"time":"2026-11-23T05:00:04.000Z","kind":"scrub_finding","severity":"critical","message":"damaged",
              "details":{"finding":"a file"}},
             {"kind":"without a number"}]}
            """#
        let events = try ServiceEvent.list(parsing: Array(text.utf8))
        #expect(events.map(\.number) == [2, 3, 4, 5, 6])
        #expect(events.allSatisfy { $0.instance == "7af0baa88b73eede" })
        #expect(
            events.map(\.text) == [
                "no space: pwrite: No space left on device", "ready", "compaction done in 22.1s, 900M freed",
                "log level changed: info, now debug", "damaged: a file",
            ])
        #expect(events.map(\.level) == [.error, .info, .info, .warning, .error])
        #expect(events[1].at - events[0].at == 0.25)
    }

    @Test func `keeps a bounded number of events`() {
        var dashboard = self.dashboard()
        for index in 0..<1_000 {
            dashboard.note(DashboardEvent(at: Double(index), source: "kv", level: .info, text: "\(index)"))
        }
        #expect(dashboard.events.count == Dashboard.eventLimit)
        #expect(dashboard.events.last?.text == "999")
        #expect(dashboard.eventCount == 1_000)
    }
}
