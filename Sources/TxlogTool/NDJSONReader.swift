import DurableFiles
import Glibc
import JSON
import LogFormat
import SystemSupport

/// One record of an import.
enum ImportedRecord {
    /// `expiresAt`: milliseconds since 1970; 0 for never.
    case set(key: [UInt8], value: [UInt8], expiresAt: UInt64 = 0)
    case delete(key: [UInt8])
}

/// Reads the lines that `export` and `dump` write, the latter in both formats, from a file or standard input. Blank
/// lines are skipped; any other line that is not a record is refused with its line number.
struct NDJSONReader {
    /// Maximum length of a line: a value of the maximum size with every byte escaped.
    private static let lineLimitBytes = 64 << 20
    /// Maximum size in a frame of the log, with space for the key.
    private static let valueLimitBytes = 8 << 20
    private static let keyLimitBytes = FrameBuilder.maximumKeyBytes

    private let path: String
    private var lines: LineReader

    init(descriptor: Int32, path: String) {
        self.lines = LineReader(descriptor: descriptor, limitBytes: Self.lineLimitBytes)
        self.path = path
    }

    /// Bytes of the lines read so far.
    var bytesRead: UInt64 { self.lines.bytesRead }

    /// The next record; nil at the end.
    mutating func next() throws(ToolFailure) -> ImportedRecord? {
        while let line = try self.nextLine() {
            if line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\t") }) {
                continue
            }
            if !DumpLine.isOne(line) {
                guard let record = try self.record(line) else { continue }
                return record
            }
            var dumped = DumpLine(line)
            let record: ImportedRecord?
            do throws(DumpLine.Malformed) { record = try dumped.record() } catch { throw self.damaged(error.detail) }
            if let record { return try self.checked(record) }
        }
        return nil
    }

    private func damaged(_ detail: String) -> ToolFailure {
        ToolFailure(.dataCorrupt, "\(self.path) line \(self.lines.number): \(detail)")
    }

    /// - Returns: nil for a receipt of a dump, which an import cannot use.
    private func record(_ line: [UInt8]) throws(ToolFailure) -> ImportedRecord? {
        let object: FlatJSONObject
        do { object = try FlatJSONObject(parsing: line) } catch { throw self.damaged("\(error)") }
        if case .string(let operation)? = object["op"], operation.elementsEqual("receipt".utf8) { return nil }
        let isDelete = try self.isDelete(object)
        let key = try self.bytes("key", "key_b64", in: object)
        if isDelete { return try self.checked(.delete(key: key)) }
        let value = try self.bytes("value", "value_b64", in: object)
        return try self.checked(.set(key: key, value: value, expiresAt: try self.expiry(object)))
    }

    /// Milliseconds since 1970; 0 for never.
    private func expiry(_ object: FlatJSONObject) throws(ToolFailure) -> UInt64 {
        guard let value = object["expires_at"] else { return 0 }
        guard case .number(let digits) = value, let time = UInt64(digits), time > 0 else {
            throw self.damaged("\"expires_at\" is not a time in milliseconds since 1970")
        }
        return time
    }

    private func checked(_ record: ImportedRecord) throws(ToolFailure) -> ImportedRecord {
        let (key, value) =
            switch record {
            case .set(let key, let value, _): (key, value)
            case .delete(let key): (key, [])
            }
        if key.isEmpty || key.count > Self.keyLimitBytes {
            throw self.damaged("the key has \(key.count) bytes; 1 to \(Self.keyLimitBytes) are allowed")
        }
        if value.count > Self.valueLimitBytes {
            throw self.damaged("the value has \(value.count) bytes; up to \(Self.valueLimitBytes) are allowed")
        }
        return record
    }

    /// Distinguishes the lines of `export` from those of `dump`, which contain the operation in `op`.
    private func isDelete(_ object: FlatJSONObject) throws(ToolFailure) -> Bool {
        let isDumped = object["op"] != nil
        let known =
            ["key", "key_b64", "value", "value_b64", "expires_at"]
            + (isDumped ? ["revision", "op", "file", "value_bytes"] : ["revision", "may_be_older"])
        if let other = object.names.first(where: { !known.contains($0) }) {
            throw self.damaged("unknown member \"\(other)\"; allowed are \(known.joined(separator: ", "))")
        }
        if object["value_bytes"] != nil {
            throw self.damaged("the value is missing, as with 'txlog dump --no-values'")
        }
        guard let operation = object["op"] else { return false }
        switch operation {
        case .string(let text) where text.elementsEqual("delete".utf8): return true
        case .string(let text) where text.elementsEqual("set".utf8) || text.elementsEqual("entry".utf8): return false
        default: throw self.damaged("\"op\" is not set, delete or entry")
        }
    }

    private func bytes(
        _ name: String, _ base64Name: String, in object: FlatJSONObject
    ) throws(ToolFailure) -> [UInt8] {
        switch (object[name], object[base64Name]) {
        case (.string(let text)?, nil): return text
        case (nil, .string(let text)?):
            guard let bytes = Base64.decode(text) else { throw self.damaged("\"\(base64Name)\" is not base64") }
            return bytes
        default: throw self.damaged("it needs either \"\(name)\" or \"\(base64Name)\", as a string")
        }
    }

    private mutating func nextLine() throws(ToolFailure) -> [UInt8]? {
        do throws(LineReaderError) { return try self.lines.next() } catch {
            switch error {
            case .tooLong(let limit): throw self.damaged("it is longer than \(limit) bytes")
            case .failed(let code):
                throw ToolFailure(.inputOutput, "\(SystemError(call: "read", path: self.path, code: code))")
            }
        }
    }
}
