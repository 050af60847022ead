import Synchronization

/// Figures of the kernel about this process, read from `/proc/self`.
public enum ProcessMetrics {
    /// Adds the `process_` metrics. All of them are read together at each scrape.
    public static func register(in registry: MetricsRegistry) {
        let current = Mutex(ProcessSample())
        let box = SampleBox(current)
        registry.beforeRender { box.refresh() }
        registry.counter(
            "process_cpu_seconds_total",
            help: "Total user and system CPU time spent in seconds.",
            read: { box.value.cpuSeconds }
        )
        registry.counter(
            "process_network_receive_bytes_total",
            help: "Number of bytes received over IPv4 in the process's network namespace.",
            read: { Double(box.value.networkReceivedBytes) }
        )
        registry.counter(
            "process_network_transmit_bytes_total",
            help: "Number of bytes sent over IPv4 in the process's network namespace.",
            read: { Double(box.value.networkSentBytes) }
        )
        func gauge(_ name: String, _ help: String, _ read: @escaping @Sendable (ProcessSample) -> Double) {
            registry.gauge(name, help: help, read: { read(box.value) })
        }
        gauge("process_open_fds", "Number of open file descriptors.") { Double($0.openFDs) }
        gauge("process_max_fds", "Maximum number of open file descriptors.") { Double($0.maxFDs) }
        gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.") { Double($0.virtualMemoryBytes) }
        gauge("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.") {
            Double($0.virtualMemoryMaxBytes)
        }
        gauge("process_resident_memory_bytes", "Resident memory size in bytes.") { Double($0.residentMemoryBytes) }
        gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.") {
            $0.startTimeSeconds
        }
        gauge("process_threads", "Number of OS threads in the process.") { Double($0.threads) }
    }

    /// Reads everything now. Takes some tens of microseconds, more with many open file descriptors; on any thread.
    public static func sample() -> ProcessSample {
        ProcessFiles.shared.sample()
    }

    private final class SampleBox: Sendable {
        private let current: Mutex<ProcessSample>

        init(_ current: consuming sending Mutex<ProcessSample>) {
            self.current = current
        }

        var value: ProcessSample {
            self.current.withLock { $0 }
        }

        func refresh() {
            let sample = ProcessMetrics.sample()
            self.current.withLock { $0 = sample }
        }
    }
}
