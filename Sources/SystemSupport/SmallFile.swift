import Glibc

/// Files of `/proc` and `/sys`.
public enum SmallFile {
    /// The whole file, at most 64 KiB; nil if it cannot be read.
    public static func text(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while bytes.count < 65_536 {
            let chunk = unsafe [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
                var got = unsafe read(descriptor, buffer.baseAddress, buffer.count)
                while got < 0 && errno == EINTR { got = unsafe read(descriptor, buffer.baseAddress, buffer.count) }
                count = max(0, got)
            }
            if chunk.isEmpty { break }
            bytes += chunk
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
