public import DurableFiles

/// The lock of a log's folder.
extension FileSystem {
    /// Locks the folder for this process alone.
    /// - Parameter owner: program name and process id, shown to others that find the folder locked.
    public func lockLog(_ directory: String, owner: String) throws(LogError) -> any DirectoryLock {
        do { return try self.lock(directory, owner: owner) } catch {
            throw LogError(error, directory: directory)
        }
    }

    /// Keeps services out while the folder is read; see ``lockForReading(_:)``.
    public func lockLogForReading(_ directory: String) throws(LogError) -> any DirectoryLock {
        do { return try self.lockForReading(directory) } catch {
            throw LogError(error, directory: directory)
        }
    }
}

extension LogError {
    fileprivate init(_ error: DirectoryLockError, directory: String) {
        switch error {
        case .held(let owner): self = .locked(directory: directory, owner: owner)
        case .system(let error): self = .system(error)
        }
    }
}
