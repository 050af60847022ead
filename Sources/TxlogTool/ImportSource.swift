import DurableFiles
import Glibc
import LogFormat
import SystemSupport

/// The input of an import: NDJSON as written by `export`, or the log of the Go system.
struct ImportSource {
    private enum Reader {
        case ndjson(NDJSONReader)
        case goLog(GoLogReader)
    }

    enum Format: String, CaseIterable {
        case ndjson
        case kvLog = "kv-log"
    }

    /// Bytes of the file; 0 if unknown.
    let totalBytes: UInt64
    private var reader: Reader
    /// Bytes at the end of a log of the Go system that are not a complete record: an unfinished write.
    private(set) var tornBytes: UInt64 = 0

    /// - Parameters:
    ///   - path: `-` for standard input, which is NDJSON.
    ///   - format: nil to determine it by the first byte.
    init(_ path: String, format: Format?) throws {
        if path == "-" {
            self.totalBytes = 0
            self.reader = .ndjson(NDJSONReader(descriptor: STDIN_FILENO, path: "standard input"))
            if format == .kvLog { throw ToolFailure(.usage, "a kv.log is read from a file, not from standard input") }
            return
        }
        if try !Self.isRegular(path) {
            self.totalBytes = 0
            self.reader = .ndjson(try Self.stream(path))
            if format == .kvLog { throw ToolFailure(.usage, "a kv.log is read from a file, and \(path) is not a file") }
            return
        }
        let (file, size, first) = try Self.open(path)
        self.totalBytes = size
        switch format ?? (first == UInt8(ascii: "s") || first == UInt8(ascii: "d") ? .kvLog : .ndjson) {
        case .kvLog: self.reader = .goLog(GoLogReader(file: file, fileBytes: size))
        case .ndjson:
            file.close()
            self.reader = .ndjson(try Self.stream(path))
        }
    }

    /// Pipes are allowed too, such as the shell's `<(zcat export.gz)`.
    private static func isRegular(_ path: String) throws -> Bool {
        var status = stat()
        if unsafe stat(path, &status) != 0 {
            throw ToolFailure(.inputOutput, "\(SystemError(call: "stat", path: path, code: errno))")
        }
        if status.st_mode & S_IFMT == S_IFDIR {
            throw ToolFailure(.inputOutput, "\(SystemError(call: "open", path: path, code: EISDIR))")
        }
        return status.st_mode & S_IFMT == S_IFREG
    }

    private static func stream(_ path: String) throws -> NDJSONReader {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            throw ToolFailure(.inputOutput, "\(SystemError(call: "open", path: path, code: errno))")
        }
        return NDJSONReader(descriptor: descriptor, path: path)
    }

    /// Symbolic links are followed here: the file does not belong to a log folder.
    private static func open(_ path: String) throws -> (any File, UInt64, UInt8?) {
        do throws(SystemError) {
            guard let target = Self.resolved(path) else { throw SystemError(call: "open", path: path, code: errno) }
            let file = try PosixFileSystem().open(target, .read)
            var first: [UInt8] = []
            _ = try file.read(1, at: 0, into: &first)
            return (file, try file.size(), first.first)
        } catch {
            throw ToolFailure(.inputOutput, "\(error)")
        }
    }

    /// The path without links; nil, and why in `errno`, if there is no such file.
    static func resolved(_ path: String) -> String? {
        guard let target = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(target) }
        return unsafe String(cString: target)
    }

    /// Bytes that have been read.
    var bytesRead: UInt64 {
        switch self.reader {
        case .ndjson(let reader): reader.bytesRead
        case .goLog(let reader): reader.offset
        }
    }

    /// The next record; nil at the end.
    mutating func next() throws -> ImportedRecord? {
        switch self.reader {
        case .ndjson(var reader):
            // The reader's buffer must not be copied.
            self.reader = .ndjson(NDJSONReader(descriptor: -1, path: ""))
            defer { self.reader = .ndjson(reader) }
            return try reader.next()
        case .goLog(var reader):
            self.reader = .ndjson(NDJSONReader(descriptor: -1, path: ""))
            defer { self.reader = .goLog(reader) }
            guard let record = try reader.next() else {
                self.tornBytes = self.totalBytes - reader.offset
                return nil
            }
            var (key, value): ([UInt8], [UInt8]) = ([], [])
            unsafe reader.withBytes(of: record) { keyBytes, valueBytes in
                unsafe key = Array(keyBytes)
                unsafe value = Array(valueBytes)
            }
            return record.isDelete ? .delete(key: key) : .set(key: key, value: value)
        }
    }
}
