import DurableFiles
import Glibc
import Synchronization

/// An open file of the simulated file system. It outlives its name, as on Linux.
final class SimulatedFile: File {
    let path: String
    private let inode: Int
    private let fileSystem: SimulatedFileSystem

    init(path: String, inode: Int, fileSystem: SimulatedFileSystem) {
        self.path = path
        self.inode = inode
        self.fileSystem = fileSystem
    }

    func renamed(to path: String) -> any File {
        SimulatedFile(path: SimulatedDisk.normalized(path), inode: self.inode, fileSystem: self.fileSystem)
    }

    private func fail(_ effect: FaultEffect?, _ call: String) throws(SystemError) {
        if case .error(let code) = effect { throw SystemError(call: call, path: self.path, code: code) }
    }

    func identity() throws(SystemError) -> FileIdentity { FileIdentity(device: 1, inode: UInt64(self.inode)) }

    func size() throws(SystemError) -> UInt64 {
        try self.fileSystem.perform(.size, self.path) { state, effect throws(SystemError) in
            try self.fail(effect, "fstat")
            return UInt64(state.disk[self.inode].cached.count)
        }
    }

    func read(_ count: Int, at offset: UInt64, into buffer: inout [UInt8]) throws(SystemError) -> Int {
        let bytes = try self.fileSystem.perform(.read, self.path, offset: offset, byteCount: count) {
            state, effect throws(SystemError) in
            try self.fail(effect, "pread")
            let content = state.disk[self.inode].cached
            let start = min(Int(offset), content.count)
            return content[start..<min(start + count, content.count)]
        }
        buffer.append(contentsOf: bytes)
        return bytes.count
    }

    func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(SystemError) -> Int {
        let bytes = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
        return try self.fileSystem.perform(.write, self.path, offset: offset, byteCount: bytes.count) {
            state, effect throws(SystemError) in
            try self.fail(effect, "pwrite")
            var count = bytes.count
            if case .shortWrite(let limit) = effect { count = min(count, limit) }
            let growth = state.copiesOnWrite ? count : Int(offset) + count - state.disk[self.inode].cached.count
            if growth > 0, state.capacityBytes < Int.max {
                let room = max(0, state.capacityBytes - state.disk.usedBytes)
                if growth > room { count -= growth - room }
                if count <= 0 { throw SystemError(call: "pwrite", path: self.path, code: ENOSPC) }
            }
            state.disk[self.inode].write(bytes[..<count], at: Int(offset))
            return count
        }
    }

    func overwritePlacement(_ count: Int) throws(SystemError) -> OverwritePlacement {
        if !self.fileSystem.state.withLock({ $0.copiesOnWrite }) { return .inPlace }
        _ = try self.write([UInt8](repeating: 0, count: count).span.bytes, at: 0)
        return .copyOnWrite
    }

    private func sync(_ kind: SimulatedCall.Kind) throws(SystemError) {
        try self.fileSystem.perform(kind, self.path) { state, effect throws(SystemError) in
            if effect != nil { state.disk[self.inode].failSync() }
            try self.fail(effect, kind.rawValue)
            state.disk[self.inode].sync()
        }
    }

    func syncData() throws(SystemError) { try self.sync(.fdatasync) }
    func sync() throws(SystemError) { try self.sync(.fsync) }

    func truncate(to size: UInt64) throws(SystemError) {
        try self.fileSystem.perform(.truncate, self.path) { state, effect throws(SystemError) in
            try self.fail(effect, "ftruncate")
            state.disk[self.inode].truncate(to: Int(size))
        }
    }

    func forgetCache() throws(SystemError) {
        try self.fileSystem.perform(.forgetCache, self.path) { state, effect throws(SystemError) in
            try self.fail(effect, "posix_fadvise")
            state.disk[self.inode].forgetCache()
        }
    }

    func close() {}
}
