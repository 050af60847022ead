import DurableFiles
import LogFormat

/// The folder that compactions of one log write into.
struct CompactionFolder: Sendable {
    let fileSystem: any FileSystem
    let paths: LogPaths
    let storeID: StoreID
    let leftovers: CompactionLeftovers

    init(fileSystem: any FileSystem, directory: String, storeID: StoreID, holds: FileHolds) {
        self.fileSystem = fileSystem
        self.paths = LogPaths(directory: directory)
        self.storeID = storeID
        self.leftovers = CompactionLeftovers(fileSystem: fileSystem, paths: self.paths, holds: holds)
    }
}
