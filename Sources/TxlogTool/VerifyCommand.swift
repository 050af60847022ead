import ArgumentParser
import JSON
import LogFormat
import OfflineStore
import SystemSupport
import TransactionLog

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check every checksum, the order of segments and revisions, the manifest and the snapshot.",
        discussion: """
            Reads the whole folder as a start does and changes nothing. It continues behind damage and lists all of \
            it. Exit code 0: kv-service accepts the folder as it is. 2: the next start cuts a torn tail; nothing \
            acknowledged is lost. 3: damaged; 'txlog repair' shows what can be done.
            """)

    @OptionGroup var folder: FolderArgument
    @Flag(help: "Write the findings as one JSON object.") var json = false

    func run() throws {
        let directory = self.folder.directory
        let inspection = try LockedFolder.read(directory) {
            try LockedFolder.inspect(directory, progress: "verifying")
        }
        let report = VerifyReport(inspection: inspection, directory: directory)
        Output.standard.write(self.json ? report.json : Array(report.text.utf8))
        throw ExitCode(ProgramExit(inspection).rawValue)
    }
}

/// The output of `verify`.
struct VerifyReport {
    let inspection: LogInspection
    let directory: String

    var text: String {
        let found = self.inspection
        var lines: [String] = []
        for part in found.parts {
            lines.append("\(part.name)  \(part.entries) entries, \(part.fileBytes) bytes  \(Self.verdict(part.damage))")
        }
        for segment in found.segments {
            let what = "\(Self.revisions(segment)), \(segment.sizeBytes) bytes"
            lines.append("\(segment.name)  \(what)  \(Self.verdict(segment.damage))")
        }
        for file in found.leftovers { lines.append("\(file)  left by interrupted work; the next start removes it") }
        for file in found.unknownFiles { lines.append("\(file)  not a file of the log; ignored") }
        lines.append(contentsOf: found.damage.map { "damage: \($0)" })
        if let lost = found.lostEnd {
            lines.append(
                "damage: \(lost.file) ends at \(lost.offset), not at \(lost.closedOffset) as at the last clean stop: "
                    + "revisions after \(lost.lastRevision) up to \(lost.closedLastRevision) are missing")
        }
        if let cut = found.cutFile {
            lines.append(
                "damage: \(cut.file) has \(cut.fileBytes) bytes and was created with \(cut.preparedBytes): any "
                    + "changes after revision \(cut.lastRevision) are missing")
        }
        if let tail = found.tornTail {
            lines.append(
                "torn tail: \(tail.file) at offset \(tail.offset), \(tail.bytes) bytes of an unfinished write")
        }
        lines.append(self.conclusion)
        return lines.joined(separator: "\n") + "\n"
    }

    private static func revisions(_ segment: LogInspection.Segment) -> String {
        let first = segment.name.firstRevision
        return segment.lastRevision < first
            ? "no revisions, \(first) is next" : "revisions \(first) to \(segment.lastRevision)"
    }

    private static func verdict(_ damage: Corruption?) -> String {
        damage.map { "DAMAGED at offset \($0.offset)" } ?? "ok"
    }

    private var conclusion: String {
        switch ProgramExit(self.inspection) {
        case .tornTail:
            "kv-service accepts the folder: it cuts the torn tail, which contains nothing acknowledged. "
                + "To cut it now: \(ToolCommand.repair(self.directory))"
        case .dataCorrupt where self.inspection.damage.isEmpty:
            "kv-service accepts the folder, but acknowledged writes are or may be missing. Restore a backup; "
                + "to see what can be done without one: \(ToolCommand.repair(self.directory))"
        case .dataCorrupt:
            "kv-service refuses the folder. Restore a backup; to see what can be done without one: "
                + ToolCommand.repair(self.directory)
        default: "Fine: kv-service accepts the folder as it is."
        }
    }

    var json: [UInt8] {
        let found = self.inspection
        var writer = JSONWriter()
        writer.object { object in
            object.member("folder", self.directory)
            object.member("verdict", found.verdict)
            found.storeID.map { object.member("store_id", "\($0)") }
            object.member("first_revision", found.firstRevision)
            object.member("last_revision", found.lastRevision)
            object.member("bytes_read", found.bytesRead)
            object.member("clean_shutdown", found.wasCleanShutdown)
            object.member(
                "damage",
                array: { array in
                    for corruption in found.damage {
                        array.element(object: { element in
                            element.member("file", corruption.file)
                            element.member("offset", corruption.offset)
                            element.member("last_good_revision", corruption.lastGoodRevision)
                            element.member("reason", corruption.reason.description)
                        })
                    }
                })
            if let lost = found.lostEnd {
                object.member(
                    "lost_end",
                    object: { member in
                        member.member("file", lost.file)
                        member.member("offset", lost.offset)
                        member.member("closed_offset", lost.closedOffset)
                        member.member("last_revision", lost.lastRevision)
                        member.member("closed_last_revision", lost.closedLastRevision)
                    })
            }
            if let cut = found.cutFile {
                object.member(
                    "cut_file",
                    object: { member in
                        member.member("file", cut.file)
                        member.member("size_bytes", cut.fileBytes)
                        member.member("made_bytes", cut.preparedBytes)
                        member.member("last_revision", cut.lastRevision)
                    })
            }
            if let tail = found.tornTail {
                object.member(
                    "torn_tail",
                    object: { member in
                        member.member("file", tail.file)
                        member.member("offset", tail.offset)
                        member.member("bytes", tail.bytes)
                    })
            }
            object.member(
                "files",
                array: { array in
                    for part in found.parts {
                        array.element(object: { element in
                            element.member("file", part.name.description)
                            element.member("entries", part.entries)
                            element.member("size_bytes", part.fileBytes)
                            element.member("ok", part.damage == nil)
                        })
                    }
                    for segment in found.segments {
                        array.element(object: { element in
                            element.member("file", segment.name.description)
                            element.member("first_revision", segment.name.firstRevision)
                            element.member("last_revision", segment.lastRevision)
                            element.member("size_bytes", segment.sizeBytes)
                            element.member("ok", segment.damage == nil)
                        })
                    }
                })
            object.member("leftovers", array: { array in found.leftovers.forEach { array.element($0) } })
            object.member("unknown_files", array: { array in found.unknownFiles.forEach { array.element($0) } })
        }
        writer.newline()
        return writer.bytes
    }
}

extension LogInspection {
    /// The name of the result in the output of `--json`.
    var verdict: String {
        if self.isDamaged { return "corruption" }
        return self.tornTail == nil ? "fine" : "torn_tail"
    }
}
