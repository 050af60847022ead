import ArgumentParser
import DurableFiles
import Glibc
import JSON
import LogFormat
import OfflineStore
import SystemSupport
import TransactionLog

struct RepairCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Show what a repair would lose, then change the folder so that a start accepts it.",
        discussion: """
            Cuts a torn tail, as a start does; nothing acknowledged is lost. Other damage is removed only with \
            --accept-data-loss: the log then ends at the first damage, later segments are removed, a damaged part of \
            the snapshot keeps its entries before the damage, and the manifest lists the rest. Prefer a backup to \
            that. The files that change are copied first. Without --yes, the command asks; without a terminal, it \
            shows the plan and changes nothing, and the exit code is that of 'verify'.
            """)

    @OptionGroup var folder: FolderArgument
    @Flag(help: "Do it without asking.") var yes = false
    @Flag(help: "Remove damaged data, although it was acknowledged.") var acceptDataLoss = false
    @Option(
        help: ArgumentHelp(
            "New folder for copies of the files that change; by default one in the data folder's quarantine/.",
            valueName: "folder"), completion: .directory)
    var aside: String?

    func run() throws {
        let directory = self.folder.directory
        try LockedFolder.change(directory, command: "repair") { try self.repair(directory) }
    }

    private func repair(_ directory: String) throws {
        let inspection = try LockedFolder.inspect(directory, progress: "verifying")
        let plan = RepairPlan(inspection)
        if plan.work == .nothing {
            Output.standard.write("Nothing to repair: kv-service accepts the folder as it is.\n")
            return
        }
        let aside = self.aside ?? "\(directory)/quarantine/repair-\(Self.timestamp())"
        Output.standard.write(RepairReport(plan: plan, aside: aside).text)
        Output.standard.flush()
        if plan.work == .truncate && !self.acceptDataLoss {
            Output.standard.write(
                """
                Instead of a repair, export what is left (\(SalvageReport(inspection: inspection).revisions)):
                  \(ToolCommand.salvage(directory, to: "kv.ndjson"))
                  txlog import \(ShellWord.quoted("\(directory).new")) kv.ndjson
                Nothing was changed. Restore a backup, or export the rest, or accept the loss with:
                  \(ToolCommand.repair(directory)) --accept-data-loss

                """)
            throw ExitCode(ProgramExit(inspection).rawValue)
        }
        if !self.yes && !Self.askWhetherToGoOn() {
            Output.standard.write("Nothing was changed. To repair without a question, add --yes.\n")
            throw ExitCode(ProgramExit(inspection).rawValue)
        }
        try Self.carryOut(plan, directory, aside)
        let after = try LockedFolder.inspect(directory, progress: "verifying")
        if ProgramExit(after) == .dataCorrupt {
            throw ToolFailure(
                .dataCorrupt,
                "the folder is still damaged, see: \(ToolCommand.verify(directory)); old files are in \(aside)"
            )
        }
        Output.standard.write(
            "Done: kv-service accepts the folder and continues after revision \(after.lastRevision). Copies of the "
                + "old files are in \(aside)\n")
    }

    private static func carryOut(_ plan: RepairPlan, _ directory: String, _ aside: String) throws {
        let repair = LogRepair(plan, directory: directory)
        do throws(LogError) { try repair.copyAside(to: aside) } catch {
            guard case .system(let cause) = error else { throw error }
            let place = cause.isOutOfSpace ? "on a disk with space for the copies" : "for the copies"
            throw ToolFailure(
                .inputOutput, "\(cause). Nothing of the log was changed. Name another folder \(place) with --aside.")
        }
        do throws(LogError) {
            if plan.work == .cutTornTail { _ = try repair.cutTornTail() } else { try repair.truncate() }
        } catch {
            guard case .system(let cause) = error else { throw error }
            throw ToolFailure(
                .inputOutput,
                "\(cause). The repair is not finished: fix the cause and run it again. Copies of the old files are in "
                    + "\(aside)")
        }
    }

    private static func askWhetherToGoOn() -> Bool {
        guard isatty(STDIN_FILENO) == 1, StandardStream.output.isTerminal else { return false }
        Output.standard.write("Continue? [y/N] ")
        Output.standard.flush()
        return ["y", "yes"].contains(readLine()?.lowercased() ?? "")
    }

    /// `2026-11-22T21:58:14.123Z`: unique for each repair of a folder.
    private static func timestamp() -> String {
        var writer = JSONWriter()
        writer.object { $0.memberTimestamp("t", nanosecondsSince1970: WallClock.nanoseconds()) }
        return String(decoding: writer.bytes.dropFirst(6).dropLast(2), as: UTF8.self)
    }
}

/// The output of `repair` before it changes anything.
struct RepairReport {
    let plan: RepairPlan
    let aside: String

    var text: String {
        let plan = self.plan
        var lines = plan.damage.map { "damage: \($0)" }
        if let tail = plan.tornTail {
            lines.append("torn tail: \(tail.file) at offset \(tail.offset), \(tail.bytes) bytes")
        }
        lines.append("A repair would:")
        if !plan.affectedFiles.isEmpty {
            lines.append("  copy to \(self.aside): \(plan.affectedFiles.joined(separator: ", "))")
        }
        if plan.work == .cutTornTail {
            lines.append("  cut the torn tail, which contains nothing acknowledged, and begin a new segment")
        }
        if let cut = plan.cut, plan.filledBytes == nil {
            lines.append(
                "  end \(cut.name) at offset \(cut.offset): "
                    + "\(cut.fileBytes - min(cut.offset, cut.fileBytes)) bytes are lost"
            )
        }
        if let cut = plan.cut, let bytes = plan.filledBytes {
            lines.append(
                "  fill \(cut.name) with zeros from offset \(cut.offset) to the \(bytes) bytes it was created with")
        }
        for name in plan.dropped { lines.append("  remove \(name)") }
        for part in plan.damagedParts {
            lines.append(
                "  keep \(part.keptEntries) entries of \(part.name): "
                    + "\(part.lostEntries.map { "\($0)" } ?? "an unknown number") of the snapshot's keys are lost")
        }
        if plan.forgetsEnd { lines.append("  remove the record of where the clean stop ended the log") }
        if plan.rewritesManifest { lines.append("  rewrite the MANIFEST") }
        if let upTo = plan.lostSnapshotUpTo {
            lines.append(
                "Lost: the whole snapshot: every key that was set up to revision \(upTo) and not "
                    + "changed since.")
        }
        if !plan.damagedParts.isEmpty && plan.lostRevisions == nil {
            lines.append("Lost: keys of the snapshot, as listed above; no change after revision \(plan.lastRevision).")
        }
        if let lost = plan.lostRevisions {
            lines.append(
                "Lost: \(lost.upperBound - lost.lowerBound + 1) revisions, \(lost.lowerBound) to \(lost.upperBound), and "
                    + "what the damaged bytes may have contained after that. The store would continue after revision "
                    + "\(plan.lastRevision).")
        } else if plan.work == .truncate, plan.damagedParts.isEmpty, plan.lostSnapshotUpTo == nil {
            lines.append("The store would continue after revision \(plan.lastRevision); no later change is known.")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
