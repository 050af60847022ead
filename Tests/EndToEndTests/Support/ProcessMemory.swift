import TestSupport

extension ServiceProcess {
    /// The most memory that was ever resident, in bytes.
    var mostResidentBytes: Int {
        get throws {
            let lines = try FileText.text("/proc/\(self.child.pid)/status").split(separator: "\n")
            guard let line = lines.first(where: { $0.hasPrefix("VmHWM:") }),
                let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({
                    Int($0)
                })
            else { throw MalformedAnswer(reason: "no VmHWM of process \(self.child.pid)") }
            return kibibytes * 1_024
        }
    }
}
