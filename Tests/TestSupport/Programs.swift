import Glibc

/// The programs that are tested.
package enum Programs {
    package static func path(_ name: String) -> String { "\(self.folder)/\(name)" }

    /// The folder `TXLOG_KV_PROGRAMS`, such as that of a release build, else the one of the tests.
    package static let folder: String = {
        if let folder = getenv("TXLOG_KV_PROGRAMS") { return String(cString: folder) }
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = bytes.withUnsafeMutableBytes { buffer in
            readlink("/proc/self/exe", buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        guard count > 0 else { fatalError("\(SystemCallError(call: "readlink /proc/self/exe", code: errno))") }
        let bundle = String(decoding: bytes[..<count], as: UTF8.self)
        return bundle.split(separator: "/").dropLast().map { "/\($0)" }.joined()
    }()

    /// Where a command of the machine is; nil if it is not installed.
    package static func installed(_ name: String) -> String? {
        let folders = getenv("PATH").map { String(cString: $0).split(separator: ":") } ?? []
        return folders.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}
