import Glibc
import ServiceSettings
import SystemSupport

/// A service of this program that runs on this host or in this container, as found in `/proc`.
struct RunningService {
    let pid: Int
    /// The command line after the program's name.
    let arguments: [String]
    let environment: [String: String]

    private static let limitBytes = 4 << 20

    /// The processes of a program that this process may read, ordered by process id.
    static func all(named name: String) -> [RunningService] {
        guard let directory = unsafe opendir("/proc") else { return [] }
        defer { unsafe closedir(directory) }
        var pids: [Int] = []
        while let entry = unsafe readdir(directory) {
            let file = unsafe withUnsafePointer(to: entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if let pid = Int(file), pid != getpid() { pids.append(pid) }
        }
        return pids.sorted().compactMap { Self(pid: $0, name: name) }
    }

    /// Nil if the process runs another program, has ended, or belongs to another user.
    private init?(pid: Int, name: String) {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/\(pid)/exe", &target, target.count)
        if count <= 0 { return nil }
        let path = String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // If the file of a program was replaced while it runs, it is still that program.
        let file = path.split(separator: "/").last.map { String($0).replacing(" (deleted)", with: "") }
        guard file == name, let arguments = Self.texts("/proc/\(pid)/cmdline"),
            let variables = Self.texts("/proc/\(pid)/environ")
        else { return nil }
        self.pid = pid
        self.arguments = Array(arguments.dropFirst())
        self.environment = ProcessEnvironment.parse(variables)
    }

    /// A file of texts, each followed by a zero byte.
    private static func texts(_ path: String) -> [String]? {
        guard let bytes = try? OperatorFile.read(path, limitBytes: Self.limitBytes) else { return nil }
        return bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast(bytes.last == 0 ? 1 : 0).map {
            String(decoding: $0, as: UTF8.self)
        }
    }
}
