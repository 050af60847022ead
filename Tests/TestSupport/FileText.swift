import Glibc

/// Whole files, for tests.
package enum FileText {
    package static func bytes(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemCallError(call: "open \(path)", code: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { throw SystemCallError(call: "read \(path)", code: errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    package static func text(_ path: String) throws -> String {
        String(decoding: try self.bytes(path), as: UTF8.self)
    }

    package static func write(_ text: String, to path: String) throws {
        try self.write(bytes: Array(text.utf8), to: path)
    }

    package static func write(bytes: [UInt8], to path: String) throws {
        try self.write(bytes, to: path, O_TRUNC)
    }

    package static func append(bytes: [UInt8], to path: String) throws {
        try self.write(bytes, to: path, O_APPEND)
    }

    private static func write(_ bytes: [UInt8], to path: String, _ flag: Int32) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flag, 0o600)
        guard descriptor >= 0 else { throw SystemCallError(call: "open \(path)", code: errno) }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw SystemCallError(call: "write \(path)", code: errno)
        }
    }
}
