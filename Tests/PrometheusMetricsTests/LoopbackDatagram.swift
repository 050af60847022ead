import Glibc

/// A UDP socket on the loopback interface that sends to itself.
struct LoopbackDatagram: ~Copyable {
    struct Failure: Error {
        let call: String
        let code: Int32
    }

    private let descriptor: Int32

    init() throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard self.descriptor >= 0 else { throw Failure(call: "socket", code: errno) }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(self.descriptor, $0, size) == 0 && getsockname(self.descriptor, $0, &size) == 0
                    ? connect(self.descriptor, $0, size) : -1
            }
        }
        guard result == 0 else { throw Failure(call: "bind", code: errno) }
    }

    deinit {
        close(self.descriptor)
    }

    /// Sends one datagram, and takes it.
    func send(bytes count: Int) throws {
        var bytes = [UInt8](repeating: 0, count: count)
        guard Glibc.send(self.descriptor, bytes, count, 0) == count else { throw Failure(call: "send", code: errno) }
        guard recv(self.descriptor, &bytes, count, 0) == count else { throw Failure(call: "recv", code: errno) }
    }
}
