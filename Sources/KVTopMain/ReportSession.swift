import DashboardModel
import DashboardPolling
import DashboardRender
import DashboardTerminal
import Glibc
import JSON
import Synchronization
import SystemSupport

/// `--once` and `--batch`: screens or JSON on standard output, no terminal needed.
struct ReportSession {
    let settings: Settings

    init(_ settings: Settings) {
        self.settings = settings
    }

    func run() throws {
        // Ctrl-C ends a report like any other program.
        SignalDescriptor.unblock()
        let settings = self.settings
        Terminal.useLocale()
        let recorder = try settings.recordPath.map { try Recorder.open($0, settings) }
        let state = Mutex(
            Dashboard(
                targets: settings.targets, now: Double(MonotonicClock.nanoseconds()) / 1e9,
                wallTime: Double(WallClock.nanoseconds()) / 1e9, thresholds: settings.thresholds))
        let shared = SharedDashboard(state)
        let poller = try ServicePoller(
            targets: settings.targets, intervalSeconds: settings.intervalSeconds, token: settings.token,
            certificates: settings.certificates
        ) { poll in
            if let recorder, recorder.append(poll) == .failedNow { Recorder.tell(recorder) }
            shared.apply(PollResult(reading: poll))
        }
        let count = settings.isOnce ? 1 : settings.count ?? .max
        let failure = Blocking.run { () async -> ProgramExit? in
            await poller.pollOnce()
            var printed = 0
            while printed < count {
                await Pause.wait(seconds: settings.intervalSeconds)
                await poller.pollOnce()
                printed += 1
                do throws(ProgramExit) {
                    try Self.print(shared.value, settings, number: printed, isLast: printed == count)
                } catch {
                    return error
                }
            }
            return nil
        }
        poller.stop()
        if let failure { throw failure }
        if let recorder { try Recorder.close(recorder) }
        if shared.value.targets.contains(where: { $0.availability != .up }) { throw ProgramExit.failure }
    }

    /// The report with this number, from 1 on.
    static func print(
        _ dashboard: Dashboard, _ settings: Settings, number: Int, isLast: Bool
    ) throws(ProgramExit) {
        switch settings.format {
        case .json:
            var writer = JSONWriter(reservingBytes: 16_384)
            DashboardReport.write(dashboard, to: &writer)
            try StandardStream.writeOutput(writer.bytes)
        case .csv:
            if number == 1 { try StandardStream.writeOutput(DashboardTable.header) }
            try StandardStream.writeOutput(DashboardTable.lines(dashboard))
        case .screen:
            let size = settings.printSize
            let screen = Renderer.screen(
                dashboard, settings.view, columns: size.columns, rows: size.rows, settings.printCapabilities)
            try StandardStream.writeOutput(screen.lines.joined(separator: "\n") + (isLast ? "\n" : "\n\n"))
        }
    }
}

/// A dashboard that several threads update.
final class SharedDashboard: Sendable {
    private let dashboard: Mutex<Dashboard>

    init(_ dashboard: consuming sending Mutex<Dashboard>) {
        self.dashboard = dashboard
    }

    func apply(_ result: PollResult) { self.dashboard.withLock { $0.apply(result) } }

    var value: Dashboard { self.dashboard.withLock { $0 } }
}

/// Waits in the main thread for asynchronous work.
enum Blocking {
    /// Waits for the work, or until the reader of standard output is gone, which a report would otherwise notice only
    /// at its next write.
    ///
    /// - Returns: the result of the work.
    static func run(_ work: @escaping @Sendable () async -> ProgramExit?) -> ProgramExit? {
        var descriptors: [Int32] = [0, 0]
        precondition(unsafe pipe(&descriptors) == 0, "no pipe: errno \(errno)")
        let end = descriptors[1]
        let shared = SharedResult()
        Task {
            shared.set(await work())
            close(end)
        }
        defer { close(descriptors[0]) }
        var waiting = [
            pollfd(fd: descriptors[0], events: Int16(POLLIN), revents: 0),
            pollfd(fd: STDOUT_FILENO, events: 0, revents: 0),
        ]
        while true {
            guard unsafe poll(&waiting, 2, -1) > 0 else { continue }
            if waiting[0].revents != 0 { return shared.value }
            if Int32(waiting[1].revents) & POLLERR != 0 { return .readerGone }
            // A closed terminal, or an invalid descriptor: the next write reports it.
            waiting[1].fd = -1
        }
    }
}

/// The result of some work, set on another thread.
private final class SharedResult: Sendable {
    private let result = Mutex<ProgramExit?>(nil)

    func set(_ value: ProgramExit?) { self.result.withLock { $0 = value } }

    var value: ProgramExit? { self.result.withLock { $0 } }
}
