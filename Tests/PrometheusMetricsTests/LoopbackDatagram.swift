import Glibc
import TestSupport

/// A UDP socket on the loopback interface that sends to itself.
final class LoopbackDatagram {
    private let socket: LoopbackSocket

    init() throws {
        let socket = try LoopbackSocket(.datagram)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        try LoopbackSocket.connect(socket.descriptor, port: socket.port)
        self.socket = socket
    }

    /// Sends one datagram, and takes it.
    func send(bytes count: Int) throws {
        var bytes = [UInt8](repeating: 0, count: count)
        guard Glibc.send(self.socket.descriptor, bytes, count, 0) == count else {
            throw SystemCallError(call: "send", code: errno)
        }
        guard recv(self.socket.descriptor, &bytes, count, 0) == count else {
            throw SystemCallError(call: "recv", code: errno)
        }
    }
}
