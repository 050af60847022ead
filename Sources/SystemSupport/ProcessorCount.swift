import CSystemSupport

/// The processors that the scheduler allows for this process.
public enum ProcessorCount {
    /// How many the calling thread may use, as counted by `nproc`: limited by `taskset` and a cpuset. Nil if unknown.
    public static var ofThisThread: Int? {
        let count = cs_processor_count()
        return count > 0 ? Int(count) : nil
    }
}
