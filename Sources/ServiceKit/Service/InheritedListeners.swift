import Glibc
import ServiceSettings
import SystemSupport

/// Sockets that already listen, which the process got from its parent, as systemd's socket units give them: `LISTEN_FDS`
/// of them from descriptor 3 on, for the process `LISTEN_PID`. While such a service is restarted, clients that connect wait
/// in the socket and are not refused.
struct InheritedListeners: Sendable, Equatable {
    struct Listener: Sendable, Equatable {
        let descriptor: Int32
        let address: ListenAddress
    }

    /// In place of `--listen`.
    var main: Listener?
    /// In place of `--admin-listen`: the one that `LISTEN_FDNAMES` calls `admin`.
    var admin: Listener?

    private static let firstDescriptor: Int32 = 3
    /// Of this process.
    static let ofProcess = Result { () throws(ConfigurationError) in
        try InheritedListeners(ProcessEnvironment.current, ownID: getpid())
    }

    /// - Throws: if there are sockets that cannot be used.
    init(_ environment: [String: String], ownID: pid_t) throws(ConfigurationError) {
        guard environment["LISTEN_PID"] == "\(ownID)", let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }),
            count > 0
        else { return }
        let names =
            environment["LISTEN_FDNAMES"].map { $0.split(separator: ":", omittingEmptySubsequences: false) } ?? []
        for place in 0..<count {
            let listener = try Self.listener(Self.firstDescriptor + place)
            let isAdmin = Int(place) < names.count && names[Int(place)] == "admin"
            switch (isAdmin, self.main, self.admin) {
            case (true, _, nil): self.admin = listener
            case (false, nil, _): self.main = listener
            default: throw Self.error("\(count) sockets: at most one for the data and one named admin can be used")
            }
        }
    }

    private static func listener(_ descriptor: Int32) throws(ConfigurationError) -> Listener {
        var accepts: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0, accepts == 1 else {
            throw self.error("descriptor \(descriptor) is not a socket that listens")
        }
        guard let address = self.address(descriptor) else {
            throw self.error("descriptor \(descriptor) is not a socket of TCP")
        }
        // A child process must not get it.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return Listener(descriptor: descriptor, address: address)
    }

    private static func address(_ descriptor: Int32) -> ListenAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &size)
            }
        }
        guard code == 0, [AF_INET, AF_INET6].contains(Int32(storage.ss_family)) else { return nil }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let result = unsafe withUnsafePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getnameinfo(
                    $0, size, &host, socklen_t(host.count), &port, socklen_t(port.count),
                    NI_NUMERICHOST | NI_NUMERICSERV)
            }
        }
        func text(_ characters: [CChar]) -> String {
            String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        guard result == 0, let number = UInt16(text(port)) else { return nil }
        return ListenAddress(host: text(host), port: number)
    }

    private static func error(_ reason: String) -> ConfigurationError {
        ConfigurationError(
            .value(setting: "listen", reason: reason, source: .environment(variable: "LISTEN_FDS")))
    }
}
