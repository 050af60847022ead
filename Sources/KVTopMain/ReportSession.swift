import DashboardModel
import DashboardPolling
import DashboardRender
import DashboardTerminal
import Glibc
import JSONLogging
import Synchronization

/// `--once` and `--batch`: screens or JSON on standard output, no terminal needed.
struct ReportSession {
    let settings: Settings

    init(_ settings: Settings) {
        self.settings = settings
    }

    func run() throws {
        // Ctrl-C ends a report as it ends any other program.
        SignalDescriptor.unblock()
        let settings = self.settings
        unsafe setlocale(LC_CTYPE, "")
        let recorder = try settings.recordPath.map { try Recorder.open($0, settings) }
        let state = Mutex(
            Dashboard(
                targets: settings.targets, now: Double(Timestamp.monotonicNanoseconds()) / 1e9,
                wallTime: Double(Timestamp.wallClockNanoseconds()) / 1e9, thresholds: settings.thresholds))
        let shared = SharedDashboard(state)
        let poller = ServicePoller(
            targets: settings.targets, intervalSeconds: settings.intervalSeconds, token: nil
        ) { poll in
            recorder?.append(poll)
            shared.apply(PollResult(reading: poll))
        }
        let count = settings.isOnce ? 1 : settings.count ?? .max
        Blocking.run {
            await poller.pollOnce()
            var printed = 0
            while printed < count {
                _ = try? await Task.sleep(nanoseconds: UInt64(settings.intervalSeconds * 1e9))
                await poller.pollOnce()
                printed += 1
                Self.print(shared.value, settings, number: printed, isLast: printed == count)
            }
        }
        poller.stop()
        recorder?.close()
        if shared.value.targets.contains(where: { $0.availability != .up }) { throw KVTopExit.targetDown }
    }

    /// The report with this number, from 1 on.
    static func print(_ dashboard: Dashboard, _ settings: Settings, number: Int, isLast: Bool) {
        switch settings.format {
        case .json:
            var writer = JSONWriter(reservingBytes: 16_384)
            DashboardReport.write(dashboard, to: &writer)
            StandardStream.output.write(writer.bytes)
        case .csv:
            if number == 1 { StandardStream.output.write(DashboardTable.header) }
            StandardStream.output.write(DashboardTable.lines(dashboard))
        case .screen:
            let size = settings.printSize
            let screen = Renderer.screen(
                dashboard, settings.view, columns: size.columns, rows: size.rows, settings.printCapabilities)
            StandardStream.output.write(screen.lines.joined(separator: "\n") + (isLast ? "\n" : "\n\n"))
        }
    }
}

/// A dashboard that several threads put polls into.
final class SharedDashboard: Sendable {
    private let dashboard: Mutex<Dashboard>

    init(_ dashboard: consuming sending Mutex<Dashboard>) {
        self.dashboard = dashboard
    }

    func apply(_ result: PollResult) { self.dashboard.withLock { $0.apply(result) } }

    var value: Dashboard { self.dashboard.withLock { $0 } }
}

/// Waiting in the main thread for work in Swift's concurrency.
enum Blocking {
    static func run(_ work: @escaping @Sendable () async -> Void) {
        var descriptors: [Int32] = [0, 0]
        precondition(unsafe pipe(&descriptors) == 0, "no pipe: errno \(errno)")
        let end = descriptors[1]
        Task {
            await work()
            close(end)
        }
        var byte: UInt8 = 0
        while unsafe read(descriptors[0], &byte, 1) < 0, errno == EINTR {}
        close(descriptors[0])
    }
}
