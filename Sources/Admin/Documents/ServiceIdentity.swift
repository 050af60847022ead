import JSON
import SystemSupport

/// Which run of which service this is: every document below `/admin` begins with it.
public struct ServiceIdentity: Sendable {
    /// The name of the program.
    public let name: String
    /// Identifies this run of the process: 16 hex digits.
    public let instanceID: String
    let startedAtNanoseconds = WallClock.nanoseconds()
    let startedMonotonicNanoseconds = MonotonicClock.nanoseconds()

    /// The service has started now.
    public init(name: String) {
        self.name = name
        self.instanceID = String(UInt64.random(in: 1 << 60 ... .max), radix: 16)
    }

    func writeHead(to document: inout JSONWriter) {
        document.member("schema_version", 1)
        document.member("service", self.name)
        document.member("instance_id", self.instanceID)
        document.memberTimestamp("now", nanosecondsSince1970: WallClock.nanoseconds())
    }
}
