public import SystemSupport
public import TransactionLog

extension ProgressLine {
    /// Shows bytes read and the total.
    public func update(_ progress: ReplayProgress) {
        let total = max(progress.bytesTotal, 1)
        let rate = Int(Double(progress.bytesRead) / max(self.seconds, 0.001) / 1e6)
        self.update("\(progress.bytesRead * 100 / total) %, \(progress.bytesRead) of \(total) bytes, \(rate) MB/s")
    }
}
