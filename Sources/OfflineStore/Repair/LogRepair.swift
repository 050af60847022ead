public import DurableFiles
import Glibc
public import LogFormat
import SystemSupport
public import TransactionLog

/// Removes the damaged part of a log, so that a start accepts the rest. The caller holds the folder's lock. Blocks.
///
/// The steps, each with the state after a crash:
///
/// 1. The files that will change are copied and synced: copies, and the folder as it was.
/// 2. The intact entries of a damaged part of the snapshot are written into a new part: a part that no manifest lists.
/// 3. The last segment that is kept is zeroed from the damage on; if none is kept, an empty one is created instead.
/// 4. The manifest is replaced: it lists the kept files. From here on a start accepts the folder.
/// 5. Unlisted files are removed. Until then, a segment that does not belong to this log still prevents a start.
///
/// After a crash before the end of step 5, the same repair is planned and done again.
public struct LogRepair {
    let plan: RepairPlan
    let fileSystem: any FileSystem
    let paths: LogPaths

    public init(_ plan: RepairPlan, directory: String, fileSystem: any FileSystem = PosixFileSystem()) {
        self.plan = plan
        self.fileSystem = fileSystem
        self.paths = LogPaths(directory: directory)
    }

    /// Step 1. Also required before a torn tail is cut.
    /// - Parameter aside: a folder that does not exist yet.
    /// - Throws: then no copy stays in it.
    public func copyAside(to aside: String) throws(LogError) {
        var copies: [String] = []
        do throws(SystemError) {
            try self.fileSystem.createDirectories(aside)
            for name in self.plan.affectedFiles {
                let file = try self.fileSystem.open(self.paths.path(name), .read)
                defer { file.close() }
                copies.append("\(aside)/\(name)")
                try file.copy(from: 0, bytes: try file.size(), to: "\(aside)/\(name)", self.fileSystem)
            }
            try self.fileSystem.syncDirectory(aside)
        } catch {
            // A file that existed before was not created by the repair.
            for path in copies where error.code != EEXIST || path != error.path {
                // Only the first failure is reported, even if this fails too; the copies are not needed any more.
                do { try self.fileSystem.remove(path) } catch {}
            }
            throw .system(error)
        }
    }

    /// Cuts a torn tail with the code of a start: its bytes go to `quarantine/`, the segment is sealed and a new one
    /// begins.
    public func cutTornTail() throws(LogError) -> RecoveryReport {
        precondition(self.plan.work == .cutTornTail)
        var configuration = LogConfiguration(directory: self.paths.directory, owner: "")
        configuration.segmentBytes = self.plan.inspection.usualSegmentBytes
        return try Recovery.repairEnd(of: configuration, fileSystem: self.fileSystem)
    }

    /// Steps 2 to 5.
    public func truncate() throws(LogError) {
        precondition(self.plan.work == .truncate)
        let storeID = self.plan.inspection.storeID ?? .random()
        let base = self.base
        var parts: [Manifest.Part] = []
        var number = self.plan.inspection.parts.map(\.name.number).max() ?? 0
        for part in self.plan.inspection.parts where part.name.upTo >= base.lastRevision {
            if let found = part.found {
                parts.append(found)
            } else if part.entries > 0 {
                number += 1
                parts.append(try self.rewrite(part.name, number: number, storeID: storeID))
            }
        }
        let active = try self.endLog(storeID: storeID, after: base)
        var manifest = Manifest(
            storeID: storeID, generation: (self.plan.inspection.manifest?.generation ?? 0) + 1,
            sealed: self.plan.kept.dropLast().compactMap(\.sealed), active: active,
            imported: self.plan.inspection.manifest?.imported)
        manifest.base = base
        manifest.parts = parts
        try systemCall { () throws(SystemError) in
            let directory = try self.fileSystem.openDirectory(self.paths.directory)
            try self.fileSystem.replaceFile(self.paths.manifest, in: directory, with: manifest.encoded())
        }
        let listed = Set(parts.map(\.name))
        let removed =
            self.plan.dropped.filter { $0 != active }.map(self.paths.segment)
            + self.plan.inspection.parts.filter { $0.isThere && !listed.contains($0.name) }
            .map { self.paths.part($0.name) }
        try systemCall { () throws(SystemError) in
            for path in removed { try self.fileSystem.remove(path) }
            try self.fileSystem.syncDirectory(self.paths.directory)
        }
    }

    /// The predecessor of the first segment that is kept.
    private var base: SegmentHeader.Predecessor {
        if let manifest = self.plan.inspection.manifest { return manifest.base }
        if let header = self.plan.kept.first?.header { return header.predecessor }
        // There are only parts of a snapshot: the log continues after them.
        guard let upTo = self.plan.inspection.parts.map(\.name.upTo).max() else { return .none }
        return .init(sequence: 1, lastRevision: upTo, lengthBytes: 0, sealChecksum: 0)
    }

    private func rewrite(_ name: PartName, number: UInt32, storeID: StoreID) throws(LogError) -> Manifest.Part {
        let reader = LogReader(fileSystem: self.fileSystem, paths: self.paths)
        let file = try reader.open(name)
        defer { file.close() }
        var source = try PartReader(name, listed: nil, storeID: storeID, file: file)
        let rest = PartName(upTo: name.upTo, number: number)
        var target = try systemCall { () throws(SystemError) in
            // An interrupted compaction may have left one with this number.
            do throws(SystemError) {
                try self.fileSystem.remove(self.paths.unfinished(rest))
            } catch  where error.isNotFound {}
            return try PartWriter(
                rest, frameBytes: 256 << 10, storeID: storeID, paths: self.paths, fileSystem: self.fileSystem)
        }
        do throws(LogError) {
            var more = true
            while more {
                do throws(LogError) {
                    more = try source.advance { revision, operation in
                        target.add(
                            unsafe LiveRecord(
                                revision: revision, key: operation.key, value: operation.value,
                                expiresAt: operation.expiresAt))
                    }
                } catch {
                    if case .system = error { throw error }
                    more = false
                }
                try systemCall { () throws(SystemError) in try target.writeFrame() }
            }
            return try target.finish()
        } catch {
            do { try self.fileSystem.remove(target.close()) } catch {}
            throw error
        }
    }

    /// Step 3.
    /// - Returns: the segment that is the last one now.
    private func endLog(storeID: StoreID, after base: SegmentHeader.Predecessor) throws(LogError) -> SegmentName {
        if let last = self.plan.kept.last {
            guard let cut = self.plan.cut else { return last.name }
            try systemCall { () throws(SystemError) in
                let file = try self.fileSystem.open(self.paths.segment(cut.name), .readWrite)
                defer { file.close() }
                try file.zero(from: cut.offset, bytes: cut.fileBytes - min(cut.offset, cut.fileBytes))
            }
            return cut.name
        }
        let name = SegmentName(sequence: base.sequence + 1, firstRevision: base.lastRevision + 1)
        let header = SegmentHeader(
            storeID: storeID, sequence: name.sequence, firstRevision: name.firstRevision,
            salt: .random(in: .min ... .max), syncModeCode: SyncMode.always.code,
            createdNanoseconds: WallClock.nanoseconds(), predecessor: base)
        try systemCall { () throws(SystemError) in
            let directory = try self.fileSystem.openDirectory(self.paths.directory)
            try self.fileSystem.replaceFile(self.paths.segment(name), in: directory, with: header.encoded())
        }
        return name
    }
}
