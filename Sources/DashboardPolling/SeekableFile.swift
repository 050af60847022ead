import DashboardModel
import Glibc
import SystemSupport

/// Input that can be read at any offset, more than once.
enum SeekableFile {
    /// The descriptor itself if it is a file; else that of an unnamed file with all its data.
    ///
    /// - Parameters:
    ///   - source: closed unless it is returned.
    ///   - path: for errors.
    static func descriptor(_ source: Int32, _ path: String) throws(RecordingError) -> Int32 {
        guard lseek(source, 0, SEEK_CUR) < 0, errno == ESPIPE else { return source }
        defer { close(source) }
        let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        let copy = try self.temporaryFile(in: folder)
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(source, &chunk, chunk.count)
            if count == 0 { break }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = errno
                close(copy)
                throw RecordingError("\(path) cannot be read: \(ErrorNumber.text(error))")
            }
            if let error = DescriptorWriter.write(Array(chunk.prefix(count)), to: copy) {
                close(copy)
                throw RecordingError("the data of \(path) cannot be stored in \(folder): \(ErrorNumber.text(error))")
            }
        }
        lseek(copy, 0, SEEK_SET)
        return copy
    }

    private static func temporaryFile(in folder: String) throws(RecordingError) -> Int32 {
        var name = Array("\(folder)/kvtop-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&name)
        guard descriptor >= 0 else {
            throw RecordingError("cannot create a temporary file in \(folder): \(ErrorNumber.text(errno))")
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        unsafe unlink(name)
        return descriptor
    }
}
