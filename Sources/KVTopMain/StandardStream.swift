import Glibc

/// Standard output and standard error, written whole.
enum StandardStream {
    case output, error

    func write(_ text: String) { self.write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
        let descriptor = self == .output ? STDOUT_FILENO : STDERR_FILENO
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress! + offset, buffer.count - offset)
            }
            if count > 0 { offset += count } else if errno != EINTR { return }
        }
    }
}
