import CSystemSupport

/// The processors that the scheduler gives this process.
package enum ProcessorCount {
    /// How many the calling thread may run on, as `nproc` counts them: what `taskset` and a cpuset leave. Nil when the
    /// system does not say.
    package static var ofThisThread: Int? {
        let count = cs_processor_count()
        return count > 0 ? Int(count) : nil
    }
}
