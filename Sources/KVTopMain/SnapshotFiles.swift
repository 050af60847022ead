import DashboardModel
import DashboardPolling
import DashboardRender
import Glibc
import JSON
import SystemSupport

/// The files of the key `w`.
enum SnapshotFiles {
    /// Writes `kvtop-YYYYmmdd-HHMMSS.txt` and `.json` into the current folder.
    ///
    /// - Returns: the text for the operator.
    static func write(_ screen: Screen, _ dashboard: Dashboard) -> String {
        let stamp = Timestamp.rfc3339(secondsSince1970: dashboard.wallTime).prefix(19)
            .filter { $0 != "-" && $0 != ":" }.map { $0 == "T" ? "-" : $0 }
        let name = "kvtop-\(String(stamp))"
        var writer = JSONWriter(reservingBytes: 16_384)
        DashboardReport.write(dashboard, to: &writer)
        let text = screen.lines.joined(separator: "\n") + "\n"
        for (path, bytes) in [("\(name).txt", Array(text.utf8)), ("\(name).json", writer.bytes)] {
            if let error = self.write(bytes, path) {
                return "\(path) cannot be written: \(ErrorNumber.text(error))"
            }
        }
        return "written: \(name).txt and \(name).json"
    }

    /// - Returns: the `errno` of the failed call.
    private static func write(_ bytes: [UInt8], _ path: String) -> Int32? {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return errno }
        let error = DescriptorWriter.write(bytes, to: descriptor)
        // A file system may report only here that it has no space for the written data.
        let closed = close(descriptor) == 0 ? nil : errno
        let failure = error ?? closed
        if failure != nil { _ = unsafe unlink(path) }
        return failure
    }
}
