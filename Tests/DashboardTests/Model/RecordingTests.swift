import DashboardModel
import DashboardPolling
import DashboardRender
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("A recording", .timeLimit(.minutes(1)))
struct RecordingTests {
    private static let header = RecordingHeader(targets: Incident.targets, intervalSeconds: 1, startedAt: Incident.end)

    private static func polls(_ seconds: Int) -> [RawPoll] {
        (0..<seconds).flatMap { second in
            (0...1).map { target in
                let lost = target == 0 && second % 50 == 49
                let buckets = FakeMetrics.buckets(count: second * second, median: 1e-3)
                let metrics = FakeMetrics(
                    handlers: [
                        .init(
                            name: target == 0 ? "kv_get" : "api_get", statuses: [(200, second * second)],
                            buckets: buckets)
                    ], numbers: [("process_start_time_seconds", second < 70 ? 1 : 2)])
                return RawPoll(
                    target: target, receivedAt: Double(second), wallTime: Incident.end + Double(second),
                    roundTripSeconds: 0.002, metrics: lost ? .failure(Scenario.refused) : .success(metrics.text),
                    admin: lost
                        ? .failure(Scenario.refused)
                        : .success(
                            Array((target == 0 ? FakeAdmin.kv(second, .running) : FakeAdmin.gateway(second)).utf8)),
                    events: second == 3 ? Array(#"{"events":[]}"#.utf8) : nil)
            }
        }
    }

    private func path() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("kvtop-\(UUID().uuidString).jsonl").path
    }

    @Test func `gives back what was written, in fewer bytes`() throws {
        let polls = Self.polls(130)
        let path = self.path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let writer = try RecordingWriter(path: path, header: Self.header)
        for poll in polls { #expect(writer.append(poll) == .written) }
        writer.close()
        let file = try RecordingFile(path: path)
        #expect(file.header == Self.header)
        #expect(file.count == polls.count)
        #expect(file.duration == 129)
        var decoder = RecordingDecoder()
        for (index, poll) in polls.enumerated() {
            #expect(try file.poll(index, &decoder) == poll)
        }
    }

    @Test func `shows the same screens as the polls it was made of`() throws {
        let polls = Self.polls(130)
        var encoder = RecordingEncoder()
        var decoder = RecordingDecoder()
        var live = Dashboard(targets: Incident.targets, now: 0, wallTime: Incident.end)
        var replayed = live
        for poll in polls {
            live.apply(PollResult(reading: poll))
            let read = try decoder.poll(parsing: encoder.line(poll).dropLast())
            replayed.apply(PollResult(reading: try #require(read)))
            let screens = [live, replayed].map {
                Renderer.screen($0, ViewState(), columns: 160, rows: 45, Capabilities())
            }
            #expect(screens[0] == screens[1], "at \(poll.receivedAt)")
        }
    }

    @Test func `is not written over another file`() throws {
        let path = self.path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("mine".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: RecordingError.self) { try RecordingWriter(path: path, header: Self.header) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
    }

    @Test(arguments: ["", "hello\n", "{\"kvtop_recording\":2}\n", "{\"kvtop_recording\":1,\"targets\":[]}\n"])
    func `that is none is refused with a reason`(_ text: String) throws {
        let path = self.path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: RecordingError.self) { try RecordingFile(path: path) }
    }

    @Test func `whose last line was cut off is read up to there`() throws {
        let path = self.path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        var encoder = RecordingEncoder()
        var bytes = Self.header.line
        for poll in Self.polls(3) { bytes += encoder.line(poll) }
        try Data(bytes.dropLast(100)).write(to: URL(fileURLWithPath: path))
        #expect(try RecordingFile(path: path).count == 5)
    }

    /// In the middle of a line, as after a crash, or by an attacker.
    @Test(arguments: [
        "garbage", #"{"monotonic":nan,"target":0,"at":1}"#, #"{"monotonic":1e999,"target":0,"at":1}"#,
        #"{"monotonic":2,"target":0,"at":1}"#, #"{"monotonic":2,"target":9,"at":1,"metrics_error":"x"}"#,
        #"{"monotonic":2,"target":-1,"at":1,"metrics_error":"x"}"#,
        #"{"monotonic":2,"target":0,"at":1,"metrics_changes":[[999999,"x"]]}"#, #"{"monotonic":2,"#,
    ])
    func `with a damaged line is read from the next whole scrape on, and the line is told`(_ damaged: String) throws {
        let path = self.path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        var encoder = RecordingEncoder()
        var bytes = Self.header.line
        let polls = Self.polls(70)
        for poll in polls.prefix(2) { bytes += encoder.line(poll) }
        bytes += Array("\(damaged)\n".utf8)
        for poll in polls.dropFirst(2) { bytes += encoder.line(poll) }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let file = try RecordingFile(path: path)
        var decoder = RecordingDecoder()
        var damage = file.damage
        var read: [RawPoll] = []
        for index in 0..<file.count {
            do { if let poll = try file.poll(index, &decoder) { read.append(poll) } } catch { damage.note("\(error)") }
        }
        // The changes of the line are unknown: no changes are applied to the text before it. The 61st scrape of each
        // target is a complete one; target 0 missed a poll before that.
        let expected = polls.filter {
            $0.receivedAt < 1 || $0.receivedAt >= ($0.target == 0 ? 61 : 60) || (try? $0.metrics.get()) == nil
        }
        #expect(read == expected, "\(read.map { "\($0.target) at \($0.receivedAt)" })")
        #expect(damage.lines == 1)
        #expect(damage.text?.hasPrefix("\(path), line 4: ") == true, "\(damage)")
    }

    @Test func `is played from the middle with what came before, and back`() async throws {
        let path = self.path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let writer = try RecordingWriter(path: path, header: Self.header)
        for poll in Self.polls(130) { #expect(writer.append(poll) == .written) }
        writer.close()
        let seen = Mutex<[Dashboard]>([])
        let current = Mutex(Dashboard(targets: Incident.targets, now: 0, wallTime: Incident.end))
        let player = RecordingPlayer(file: try RecordingFile(path: path), speed: 0) { event in
            switch event {
            case .restart(let now, let wallTime):
                current.withLock { $0 = Dashboard(targets: Incident.targets, now: now, wallTime: wallTime) }
            case .poll(let result): current.withLock { $0.apply(result) }
            case .position: seen.withLock { $0.append(current.withLock { $0 }) }
            case .ended, .damaged: break
            }
        }
        let task = Task { await player.play(from: 100) }
        func now(after count: Int) async throws -> Double {
            try await Poll.eventually { seen.withLock { $0.count } > count }
            return seen.withLock { $0.last?.now ?? .nan }
        }
        #expect(try await now(after: 0) == 100)
        let count = seen.withLock { $0.count }
        player.seek(seconds: -60)
        #expect(try await now(after: count) == 40)
        task.cancel()
    }

    @Test func `of ten thousand polls leaves the dashboard as large as one of an hour`() throws {
        var dashboard = Dashboard(targets: Incident.targets, now: 0, wallTime: 0)
        var poll = Scenario.poll(0, at: 0, [:])
        var metrics = try poll.metrics.get()
        for second in 0..<10_000 {
            poll.receivedAt = Double(second)
            metrics.handlers[0].requests += 7
            poll.metrics = .success(metrics)
            dashboard.apply(poll)
        }
        #expect(dashboard.targets[0].history.count == History.capacity)
        #expect(dashboard.targets[0].history.latest(.rate, count: 5_000).compactMap { $0 }.count == History.capacity)
        #expect(dashboard.events.count <= Dashboard.eventLimit)
    }
}
