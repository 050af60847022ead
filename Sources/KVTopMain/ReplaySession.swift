import DashboardModel
import DashboardPolling
import DashboardRender
import DashboardTerminal
import Glibc
import SystemSupport

/// `--replay`: the screens of a recording, live or printed.
struct ReplaySession {
    let settings: Settings

    init(_ settings: Settings) {
        self.settings = settings
    }

    func run() throws {
        guard let path = self.settings.replayPath else { return }
        do {
            let file = try RecordingFile(path: path)
            if self.settings.isReport { try self.printReports(file) } else { try self.show(file) }
        } catch let error as RecordingError {
            StandardStream.tell("kvtop: \(error)\n")
            throw ProgramExit.inputOutput
        }
    }

    private func emptyDashboard(_ file: RecordingFile) -> Dashboard {
        Dashboard(
            targets: file.header.targets, now: file.begin, wallTime: file.header.startedAt,
            thresholds: self.settings.thresholds)
    }

    /// `--once`: the screen at one moment; `--batch`: one screen for each poll of the first target.
    ///
    /// - Throws: the unreadable lines, after everything has been printed; or a failure to print.
    private func printReports(_ file: RecordingFile) throws {
        SignalDescriptor.unblock()
        Terminal.useLocale()
        var settings = self.settings
        settings.view.intervalSeconds = file.header.intervalSeconds
        settings.view.replay = ViewState.Replay(position: 0, duration: file.duration, speed: 1)
        var dashboard = self.emptyDashboard(file)
        var decoder = RecordingDecoder()
        let end = settings.seekSeconds.map { file.index(after: file.begin + $0) } ?? file.count
        var printed = 0
        var damage = file.damage
        for index in 0..<end {
            let poll: RawPoll?
            do throws(RecordingError) {
                poll = try file.poll(index, &decoder)
            } catch {
                damage.note("\(error)")
                continue
            }
            guard let poll else { continue }
            dashboard.apply(PollResult(reading: poll))
            settings.view.replay?.position = file.time(index) - file.begin
            guard !settings.isOnce, poll.target == 0 else { continue }
            printed += 1
            try ReportSession.print(dashboard, settings, number: printed, isLast: false)
            if printed == settings.count { break }
        }
        if settings.isOnce { try ReportSession.print(dashboard, settings, number: 1, isLast: true) }
        if let text = damage.text { throw RecordingError(text) }
    }

    private func show(_ file: RecordingFile) throws {
        var settings = self.settings
        let position = min(max(settings.seekSeconds ?? 0, 0), file.duration)
        settings.view.intervalSeconds = file.header.intervalSeconds
        settings.view.replay = ViewState.Replay(position: position, duration: file.duration, speed: settings.speed)
        let mailbox = Mailbox()
        let player = RecordingPlayer(file: file, speed: settings.speed) { event in
            switch event {
            case .poll(let result): mailbox.post(.poll(result))
            case .position(let position): mailbox.post(.replay(position: position))
            case .restart(let now, let wallTime): mailbox.post(.restart(now: now, wallTime: wallTime))
            case .ended: mailbox.post(.replayEnded)
            case .damaged(let text): mailbox.post(.outcome(text: text, level: .warning, source: "kvtop"))
            }
        }
        if let text = file.damage.text { mailbox.post(.outcome(text: text, level: .warning, source: "kvtop")) }
        let actions = TerminalLoop.Actions(
            command: { command in
                switch command {
                case .seek(let seconds): player.seek(seconds: seconds)
                case .setReplaySpeed(let speed): player.setSpeed(speed)
                default: break
                }
            }, writeSnapshot: SnapshotFiles.write)
        ScreenSession.exit(
            try ScreenSession(settings).run(mailbox, self.emptyDashboard(file), actions) {
                Task { await player.play(from: position) }
            })
    }
}
