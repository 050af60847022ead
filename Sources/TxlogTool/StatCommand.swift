import ArgumentParser
import OfflineStore
import SystemSupport

struct StatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat",
        abstract: "Show segments, revisions, live and garbage bytes, snapshot, sync mode and how the log ended.",
        discussion: """
            Reads all records, because that is the only way to find out which are live. It needs the memory and \
            about the time of a start. Changes nothing. Exit codes as for 'verify'. For a damaged log, the figures \
            cover what can be read.
            """)

    @OptionGroup var folder: FolderArgument
    @Flag(help: "Write the figures as one JSON object.") var json = false

    func run() throws {
        let directory = self.folder.directory
        let image = try LockedFolder.read(directory) { try LockedFolder.image(directory) }
        let report = StatReport(image: image, directory: directory)
        Output.standard.write(self.json ? report.json : Array(report.text.utf8))
        throw ExitCode(ProgramExit(image.inspection).rawValue)
    }
}
