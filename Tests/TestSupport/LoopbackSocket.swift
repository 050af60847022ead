import Glibc

/// A socket on a free port of `127.0.0.1`.
package struct LoopbackSocket: ~Copyable {
    package enum Kind { case stream, datagram }

    package let descriptor: Int32
    package let port: UInt16

    package init(_ kind: Kind) throws {
        let type = kind == .stream ? SOCK_STREAM : SOCK_DGRAM
        let descriptor = socket(AF_INET, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemCallError(call: "socket", code: errno) }
        var address = Self.address(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
            }
        }
        guard code == 0 else {
            let code = errno
            close(descriptor)
            throw SystemCallError(call: "bind", code: code)
        }
        self.descriptor = descriptor
        self.port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(self.descriptor) }

    /// Connects a descriptor to a port of `127.0.0.1`.
    package static func connect(_ descriptor: Int32, port: UInt16) throws {
        var address = Self.address(port: port)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw SystemCallError(call: "connect", code: errno) }
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

/// A port for programs that cannot report which one they took.
package enum FreePort {
    /// A port that was free a moment ago.
    package static func find() throws -> UInt16 { try LoopbackSocket(.stream).port }

    /// Several at the same time, so that they differ.
    package static func find(_ count: Int) throws -> [UInt16] {
        if count == 0 { return [] }
        let socket = try LoopbackSocket(.stream)
        let others = try self.find(count - 1)
        return others + [socket.port]
    }
}
