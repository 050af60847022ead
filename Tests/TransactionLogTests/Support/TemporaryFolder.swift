import Glibc

@testable import DurableFiles

/// A folder that is removed when the test is over.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/txlog-test-XXXXXX".utf8CString)
        self.path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
    }

    deinit { Self.remove(self.path) }

    private static func remove(_ path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            do {
                for name in try PosixFileSystem().list(path) { Self.remove("\(path)/\(name)") }
            } catch {}
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}
