import DurableFiles
import LogFormat

/// Imports the log of the Go system that this project re-creates: `kv.log` in an otherwise empty data folder.
///
/// Its records are text, `set 3 5 keyvalue` or `delete 3 0 key`, each with a newline. They are parsed by their lengths
/// and never by line, because keys and values may contain newlines. A record that ends with the file is a torn last
/// write and is omitted; anything else that does not parse ends the start, because guessing would forge data.
///
/// Steps, each with the state after a crash: (1) the records become segments: segments without a manifest beside
/// `kv.log`, removed by the next start, which imports again; (2) the manifest, with length and checksum of `kv.log`:
/// the next start does step 3; (3) `kv.log` is renamed to `kv.log.imported`.
struct GoLogImporter {
    let fileSystem: any FileSystem
    let configuration: LogConfiguration
    let paths: LogPaths

    private var source: String { self.paths.path(LogPaths.importName) }

    func run() throws(LogError) -> ImportReport {
        let file = try systemCall { () throws(SystemError) in try self.fileSystem.open(self.source, .read) }
        defer { file.close() }
        let size = try systemCall { () throws(SystemError) in try file.size() }
        var records = GoLogReader(file: file, fileBytes: size)
        var chain = try self.firstSegment()
        var frame = FrameBuilder()
        frame.begin(firstRevision: 1)
        while let record = try records.next() {
            unsafe records.withBytes(of: record) { key, value in
                frame.beginTransaction()
                if record.isDelete { unsafe frame.delete(key: key) } else { unsafe frame.set(key: key, value: value) }
                frame.endTransaction()
            }
            if frame.payloadBytes >= self.configuration.frameTargetBytes / 2 {
                try self.write(&frame, to: &chain)
            }
        }
        if !frame.isEmpty { try self.write(&frame, to: &chain) }
        let imported = Manifest.Imported(lengthBytes: size, checksum: records.checksum.value)
        chain.manifest(imported: imported)
        try systemCall { () throws(SystemError) in try chain.writeManifest() }
        chain.close()
        try self.rename()
        return ImportReport(operations: records.count, bytes: size, tornBytes: size - records.offset)
    }

    /// Step 3 of an interrupted import, if `kv.log` is still the imported file.
    /// - Returns: whether it is.
    func finish(_ imported: Manifest.Imported) throws(LogError) -> Bool {
        let checksum = try systemCall { () throws(SystemError) in
            let file = try self.fileSystem.open(self.source, .read)
            defer { file.close() }
            var checksum = CRC32C()
            var offset: UInt64 = 0
            while true {
                var bytes: [UInt8] = []
                let got = try file.read(1 << 20, at: offset, into: &bytes)
                if got == 0 { return offset == imported.lengthBytes ? checksum.value : ~imported.checksum }
                unsafe bytes.withUnsafeBytes { unsafe checksum.update($0) }
                offset += UInt64(got)
            }
        }
        if checksum != imported.checksum { return false }
        try self.rename()
        return true
    }

    private func rename() throws(LogError) {
        try systemCall { () throws(SystemError) in
            try self.fileSystem.rename(self.source, to: self.paths.path(LogPaths.importedName))
            try self.fileSystem.syncDirectory(self.paths.directory)
        }
    }

    private func firstSegment() throws(LogError) -> SegmentChain {
        try systemCall { () throws(SystemError) in
            try SegmentChain(
                creating: .random(), firstRevision: 1, from: self.prepare(1), syncMode: self.configuration.syncMode,
                paths: self.paths, fileSystem: self.fileSystem, writesManifest: false)
        }
    }

    private func prepare(_ sequence: UInt64) throws(SystemError) -> PreparedSegment {
        try PreparedSegment.make(
            SegmentFileName(sequence: sequence), sizeBytes: self.configuration.segmentBytes, paths: self.paths,
            fileSystem: self.fileSystem)
    }

    private func write(
        _ frame: inout FrameBuilder, to chain: inout SegmentChain
    ) throws(LogError) {
        do {
            let next = frame.nextRevision
            if !chain.fits(payloadBytes: frame.payloadBytes) {
                try chain.rotate(
                    to: self.prepare(chain.name.sequence + 1),
                    nextRevision: next - UInt64(frame.transactionCount))
            }
            try chain.append(&frame, kind: .data)
            try chain.sync()
            frame.begin(firstRevision: next)
        } catch {
            throw .system(error)
        }
    }
}
