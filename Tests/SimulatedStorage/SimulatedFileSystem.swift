import Dispatch
package import DurableFiles
import Glibc
import Synchronization
import TestSupport

/// A file system in memory that loses what was not synced, fails the calls it is told to fail, holds calls back,
/// and keeps a list of all of them.
///
/// What a crash leaves depends on nothing but its seed and the calls before it. May be used from any thread; calls
/// take effect one after the other.
package final class SimulatedFileSystem: FileSystem {
    struct State {
        var disk = SimulatedDisk()
        var calls: [SimulatedCall] = []
        var callCount = 0
        var diesAtCall: Int?
        var isDead = false
        var faults: [InjectedFault] = []
        var gates: [CallGate] = []
        /// Locked paths and their owners.
        var locks: [String: (owner: String, number: Int)] = [:]
        /// Signalled whenever a call has been made.
        var watchers: [DispatchSemaphore] = []
        var capacityBytes = Int.max
        /// Files and folders that there can be.
        var capacityInodes: Int?
        /// Whether each write needs as much free space as it has bytes, wherever it goes.
        var copiesOnWrite = false

        var availableInodes: UInt64? {
            self.capacityInodes.map { UInt64(max(0, $0 - self.disk.usedInodes)) }
        }
    }

    let state: Mutex<State>

    package init() { self.state = Mutex(State()) }

    /// What is the same after a crash.
    private init(_ before: borrowing State, disk: SimulatedDisk) {
        var state = State()
        state.disk = disk
        state.capacityBytes = before.capacityBytes
        state.capacityInodes = before.capacityInodes
        state.copiesOnWrite = before.copiesOnWrite
        self.state = Mutex(state)
    }

    /// What a power cut now leaves on the device, as a new file system without locks or faults.
    package func crash(seed: UInt64) -> SimulatedFileSystem {
        var generator = SeededGenerator(seed: seed)
        return self.state.withLock { SimulatedFileSystem($0, disk: $0.disk.crashed(using: &generator)) }
    }

    /// What the end of the process alone leaves: all that was written, synced or not, without locks or faults.
    package func kill() -> SimulatedFileSystem {
        self.state.withLock { SimulatedFileSystem($0, disk: $0.disk) }
    }

    /// Makes one call: waits at its gate, counts it, fails it if it is to fail, and carries it out.
    func perform<Result>(
        _ kind: SimulatedCall.Kind, _ path: String, offset: UInt64 = 0, byteCount: Int = 0,
        _ body: (inout State, FaultEffect?) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        let gate = self.state.withLock { state in
            state.isDead ? nil : state.gates.first { $0.holds(kind, path) }
        }
        gate?.pass()
        return try self.state.withLock { state throws(SystemError) -> Result in
            state.callCount += 1
            if state.callCount == state.diesAtCall { state.die() }
            if state.isDead { throw SystemError(call: "\(kind.rawValue) after the end", path: path, code: EIO) }
            var effect: FaultEffect?
            for index in state.faults.indices where state.faults[index].hits(kind, path) && effect == nil {
                effect = state.faults[index].effect
            }
            do throws(SystemError) {
                let result = try body(&state, effect)
                state.record(kind, path, offset, byteCount, 0)
                return result
            } catch {
                state.record(kind, path, offset, byteCount, error.code)
                throw error
            }
        }
    }

    /// A call that does nothing when it is to fail.
    private func perform<Result>(
        _ kind: SimulatedCall.Kind, at path: String, _ body: (inout SimulatedDisk) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        try self.perform(kind, path) { state, effect throws(SystemError) in
            if case .error(let code) = effect { throw SystemError(call: kind.rawValue, path: path, code: code) }
            return try body(&state.disk)
        }
    }

    package func createDirectory(_ path: String) throws(SystemError) {
        let path = SimulatedDisk.normalized(path)
        try self.perform(.createDirectory, at: path) { disk throws(SystemError) in try disk.createDirectory(path) }
    }

    package func list(_ path: String) throws(SystemError) -> [String] {
        let path = SimulatedDisk.normalized(path)
        return try self.perform(.list, at: path) { disk throws(SystemError) in try disk.list(path) }
    }

    package func open(_ path: String, _ mode: FileOpenMode) throws(SystemError) -> any File {
        let path = SimulatedDisk.normalized(path)
        let inode = try self.perform(.open, path) { state, effect throws(SystemError) -> Int in
            if case .error(let code) = effect { throw SystemError(call: "open", path: path, code: code) }
            if mode == .createNew, state.availableInodes == 0 {
                throw SystemError(call: "open", path: path, code: ENOSPC)
            }
            return try state.disk.open(path, mode)
        }
        return SimulatedFile(path: path, inode: inode, fileSystem: self)
    }

    package func rename(_ from: String, to: String) throws(SystemError) {
        let from = SimulatedDisk.normalized(from)
        let to = SimulatedDisk.normalized(to)
        try self.perform(.rename, at: from) { disk throws(SystemError) in try disk.rename(from, to: to) }
    }

    package func remove(_ path: String) throws(SystemError) {
        let path = SimulatedDisk.normalized(path)
        try self.perform(.remove, at: path) { disk throws(SystemError) in try disk.remove(path) }
    }

    /// No call of its own: a folder that cannot be opened fails at its sync.
    package func openDirectory(_ path: String) throws(SystemError) -> any Directory {
        SimulatedDirectory(path: SimulatedDisk.normalized(path), fileSystem: self)
    }

    fileprivate func syncDirectory(at path: String) throws(SystemError) {
        try self.perform(.directorySync, at: path) { disk throws(SystemError) in try disk.syncDirectory(path) }
    }

    package func lock(_ directory: String, owner: String) throws(DirectoryLockError) -> any DirectoryLock {
        let path = SimulatedDisk.normalized(directory + "/LOCK")
        let holder: String?
        var number = 0
        do {
            holder = try self.perform(.lock, path) { state, effect throws(SystemError) -> String? in
                if case .error(let code) = effect { throw SystemError(call: "lock", path: path, code: code) }
                if let holder = state.locks[path] { return holder.owner }
                state.locks[path] = (owner, state.callCount)
                number = state.callCount
                if state.disk.contents(path) == nil { _ = try state.disk.open(path, .createNew) }
                return nil
            }
        } catch { throw .system(error) }
        if let holder { throw .held(owner: holder) }
        return SimulatedLock(path: path, number: number, fileSystem: self)
    }

    /// One reader at a time is enough for a simulation.
    package func lockForReading(_ directory: String) throws(DirectoryLockError) -> any DirectoryLock {
        try self.lock(directory, owner: "reader")
    }

    package func capacity(_ path: String) throws(SystemError) -> FileSystemCapacity {
        let path = SimulatedDisk.normalized(path)
        return try self.perform(.capacity, path) { state, effect throws(SystemError) in
            if case .error(let code) = effect { throw SystemError(call: "capacity", path: path, code: code) }
            return FileSystemCapacity(
                sizeBytes: UInt64(state.capacityBytes),
                availableBytes: UInt64(max(0, state.capacityBytes - state.disk.usedBytes)),
                availableInodes: state.availableInodes)
        }
    }
}

extension SimulatedFileSystem.State {
    mutating func record(
        _ kind: SimulatedCall.Kind, _ path: String, _ offset: UInt64, _ byteCount: Int, _ errorCode: Int32
    ) {
        self.calls.append(
            SimulatedCall(
                number: self.callCount, kind: kind, path: path, offset: offset, byteCount: byteCount,
                errorCode: errorCode))
        for watcher in self.watchers { watcher.signal() }
    }

    /// From here on nothing has an effect. Calls that were held back go on, to fail.
    mutating func die() {
        self.isDead = true
        for gate in self.gates { gate.open() }
        for watcher in self.watchers { watcher.signal() }
    }
}

private final class SimulatedDirectory: Directory {
    private let path: String
    private let fileSystem: SimulatedFileSystem

    init(path: String, fileSystem: SimulatedFileSystem) {
        self.path = path
        self.fileSystem = fileSystem
    }

    func sync() throws(SystemError) { try self.fileSystem.syncDirectory(at: self.path) }
}

private final class SimulatedLock: DirectoryLock {
    private let path: String
    /// Tells this lock from a later one of the same path.
    private let number: Int
    private let simulation: SimulatedFileSystem

    init(path: String, number: Int, fileSystem: SimulatedFileSystem) {
        self.path = path
        self.number = number
        self.simulation = fileSystem
    }

    var fileSystem: any FileSystem { self.simulation }
    var copiedFrom: String? { nil }

    func confirm() {}

    func check() throws(SystemError) {
        if self.simulation.contents(self.path) == nil {
            throw SystemError(call: "stat", path: self.path, code: ENOENT)
        }
    }

    func unlock() {
        self.simulation.state.withLock { state in
            if state.locks[self.path]?.number == self.number { state.locks[self.path] = nil }
        }
    }
}
