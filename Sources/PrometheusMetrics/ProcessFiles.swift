import Glibc
import Synchronization

/// The files of `/proc` about this process, kept open: they can be read even if the process has no file descriptor
/// left, which is when the numbers are needed.
///
/// `@unchecked Sendable`, `@safe`: the directory stream is used only under the lock, and never closed.
@safe
final class ProcessFiles: @unchecked Sendable {
    static let shared = ProcessFiles()

    private let statDescriptor: Int32
    private let networkDescriptor: Int32
    private let descriptorDirectory: OpaquePointer?
    private let lock = Mutex<Void>(())
    /// Nil if `/proc` shows only processes, as in a systemd unit with `ProcSubset=pid`.
    private let bootTimeSeconds: Double?
    /// Creation of this object, seconds since 1970: approximately the start of the process.
    private let madeAtSeconds = Double(time(nil))
    private let ticksPerSecond: Double
    private let pageBytes: UInt64

    private init() {
        self.statDescriptor = unsafe open("/proc/self/stat", O_RDONLY | O_CLOEXEC)
        self.networkDescriptor = unsafe open("/proc/self/net/netstat", O_RDONLY | O_CLOEXEC)
        unsafe self.descriptorDirectory = opendir("/proc/self/fd")
        self.ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        self.pageBytes = UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
        self.bootTimeSeconds = Self.readBootTime()
    }

    func sample() -> ProcessSample {
        var sample = ProcessSample()
        sample.pid = Int(getpid())
        sample.maxFDs = Int(clamping: Self.limit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue)))
        sample.virtualMemoryMaxBytes = Self.limit(__rlimit_resource_t(RLIMIT_AS.rawValue))
        sample.openFDs = self.countDescriptors()
        self.readStat(into: &sample)
        self.readNetwork(into: &sample)
        return sample
    }

    /// The fields are numbered as in proc(5). The second, the name of the program, is in parentheses and may contain
    /// spaces and parentheses, so the other fields are counted from the last closing one.
    private func readStat(into sample: inout ProcessSample) {
        let text = Self.read(self.statDescriptor, limit: 4096)
        guard let end = text.lastIndex(of: UInt8(ascii: ")")) else { return }
        let fields = text[(end + 1)...].split(separator: UInt8(ascii: " "))
        func field(_ number: Int) -> UInt64 {
            let index = number - 3
            return fields.indices.contains(index) ? UInt64(String(decoding: fields[index], as: UTF8.self)) ?? 0 : 0
        }
        sample.cpuSeconds = Double(field(14) + field(15)) / self.ticksPerSecond
        sample.threads = Int(field(20))
        sample.startTimeSeconds =
            self.bootTimeSeconds.map { $0 + Double(field(22)) / self.ticksPerSecond } ?? self.madeAtSeconds
        sample.virtualMemoryBytes = field(23)
        sample.residentMemoryBytes = field(24) * self.pageBytes
    }

    /// Each group of figures has a line of names and a line of values, both beginning with the group's name.
    private func readNetwork(into sample: inout ProcessSample) {
        let lines = Self.read(self.networkDescriptor, limit: 64 << 10).split(separator: UInt8(ascii: "\n"))
            .filter { $0.starts(with: "IpExt:".utf8) }
            .map { $0.split(separator: UInt8(ascii: " ")) }
        guard lines.count == 2 else { return }
        func figure(_ name: StaticString) -> UInt64 {
            guard let index = lines[0].firstIndex(where: { String(decoding: $0, as: UTF8.self) == name.description }),
                lines[1].indices.contains(index)
            else { return 0 }
            return UInt64(String(decoding: lines[1][index], as: UTF8.self)) ?? 0
        }
        sample.networkReceivedBytes = figure("InOctets")
        sample.networkSentBytes = figure("OutOctets")
    }

    private func countDescriptors() -> Int {
        self.lock.withLock { _ in
            guard let directory = unsafe self.descriptorDirectory else { return 0 }
            var count = 0
            unsafe rewinddir(directory)
            while let entry = unsafe readdir(directory) {
                // All names except `.` and `..` are numbers.
                if unsafe entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { count += 1 }
            }
            return count
        }
    }

    private static func limit(_ resource: __rlimit_resource_t) -> UInt64 {
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return 0 }
        return UInt64(limit.rlim_cur)
    }

    /// Boot time of the machine in seconds since 1970: the line `btime` of `/proc/stat`.
    private static func readBootTime() -> Double? {
        let descriptor = unsafe open("/proc/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let text = self.read(descriptor, limit: 4 << 20)
        for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: "btime ".utf8) {
            return Double(String(decoding: line.dropFirst(6), as: UTF8.self))
        }
        return nil
    }

    /// The file from its beginning; empty if it cannot be read.
    private static func read(_ descriptor: Int32, limit: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let offset = bytes.count
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = unsafe chunk.withUnsafeMutableBytes { buffer in
                unsafe pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }
}
