import Glibc
import Testing

@testable import PrometheusMetrics

@Suite("The process metrics", .timeLimit(.minutes(1)))
struct ProcessMetricsTests {
    @Test func `are those that Prometheus's clients have, with their types`() throws {
        let registry = MetricsRegistry()
        ProcessMetrics.register(in: registry)
        let families = try Exposition(registry.render()).families.filter { $0.name.hasPrefix("process_") }
        #expect(
            families.map(\.name) == [
                "process_cpu_seconds_total", "process_max_fds", "process_network_receive_bytes_total",
                "process_network_transmit_bytes_total", "process_open_fds", "process_resident_memory_bytes",
                "process_start_time_seconds", "process_threads", "process_virtual_memory_bytes",
                "process_virtual_memory_max_bytes",
            ]
        )
        for family in families {
            #expect(family.type == (family.name.hasSuffix("_total") ? "counter" : "gauge"))
            let value = try #require(family.samples.first.flatMap { Double($0.value) })
            // A process that just began, in a network of its own, has used no time and sent nothing.
            #expect(value > 0 || family.name.hasSuffix("_total"), "\(family.name) is \(value)")
        }
    }

    @Test func `tell what goes over the network`() throws {
        let before = ProcessMetrics.sample()
        let pair = try LoopbackDatagram()
        try pair.send(bytes: 10_000)
        let after = ProcessMetrics.sample()
        #expect(after.networkSentBytes >= before.networkSentBytes + 10_000)
        #expect(after.networkReceivedBytes >= before.networkReceivedBytes + 10_000)
    }

    @Test func `agree with what the system says`() throws {
        let sample = ProcessMetrics.sample()
        #expect(sample.pid == Int(getpid()))
        #expect(sample.threads >= 1)
        #expect(sample.virtualMemoryBytes > sample.residentMemoryBytes)
        #expect(sample.residentMemoryBytes > 1 << 20)
        #expect(sample.residentMemoryBytes % UInt64(sysconf(Int32(_SC_PAGESIZE))) == 0)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #expect(sample.maxFDs == Int(clamping: limit.rlim_cur))
        // This process is young, and the boot time is rounded to a second.
        let now = Double(time(nil))
        #expect(sample.startTimeSeconds > now - 3_600 && sample.startTimeSeconds <= now + 2)
    }

    @Test func `follow the time that is used in the program and in the kernel`() {
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let zeros = open("/dev/zero", O_RDONLY)
        defer { close(zeros) }
        while Self.usedSeconds().system < 0.1 {
            #expect(read(zeros, &bytes, bytes.count) == bytes.count)
        }
        while Self.usedSeconds().user < 0.1 {
            for index in 0..<10_000 { bytes[index] &+= 1 }
        }
        let before = Self.usedSeconds()
        let sample = ProcessMetrics.sample().cpuSeconds
        let after = Self.usedSeconds()
        // Each of the two is cut off to a tick of 10 ms.
        #expect(sample > before.user + before.system - 0.03)
        #expect(sample < after.user + after.system + 0.03)
    }

    private static func usedSeconds() -> (user: Double, system: Double) {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return (seconds(usage.ru_utime), seconds(usage.ru_stime))
    }

    @Test func `count the descriptors that are open`() throws {
        let opened = (0..<200).map { _ in open("/dev/null", O_RDONLY) }
        defer { for descriptor in opened { close(descriptor) } }
        // Concurrent tests open and close their own files; a reading counts if none did meanwhile.
        for _ in 0..<10_000 {
            let before = Self.openDescriptors()
            let sample = ProcessMetrics.sample()
            guard Self.openDescriptors() == before else { continue }
            #expect(sample.openFDs == before)
            #expect(before > 200)
            return
        }
        Issue.record("other tests opened and closed descriptors all the time")
    }

    @Test func `are read anew for each rendering`() throws {
        let registry = MetricsRegistry()
        ProcessMetrics.register(in: registry)
        let first = try Exposition(registry.render()).value("process_cpu_seconds_total").flatMap { Double($0) }
        var last = first
        // A tick of 10 ms must pass; a cached value would fail this as well.
        let deadline = time(nil) + 10
        while last == first, time(nil) < deadline {
            last = try Exposition(registry.render()).value("process_cpu_seconds_total").flatMap { Double($0) }
        }
        #expect(try #require(last) > #require(first))
    }

    /// The entries of `/proc/self/fd`, but for the one that reads them.
    private static func openDescriptors() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = -1
        while let entry = readdir(directory) {
            if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        return count
    }
}
