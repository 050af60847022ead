import Glibc
import Synchronization
import SystemSupport

/// A pipe of the operating system, for tests of what is written to a descriptor.
final class Pipe: Sendable {
    let writeEnd: Int32
    private let readEnd: Int32
    private let readEndIsOpen = Atomic(true)

    init(nonBlockingWrites: Bool = false) {
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0)
        self.readEnd = ends[0]
        self.writeEnd = ends[1]
        if nonBlockingWrites {
            precondition(fcntl(self.writeEnd, F_SETFL, O_NONBLOCK) == 0)
        }
    }

    deinit {
        self.closeReadEnd()
        close(self.writeEnd)
    }

    func closeReadEnd() {
        if self.readEndIsOpen.exchange(false, ordering: .relaxed) { close(self.readEnd) }
    }

    /// Reads up to `limit` bytes, waiting for the first. Empty at the end, or when ten seconds bring nothing: a test
    /// that waits for what never comes fails instead of standing still.
    func read(limit: Int = 1 << 16) -> [UInt8] {
        var poll = pollfd(fd: self.readEnd, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&poll, 1, 10_000) > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = Glibc.read(self.readEnd, &bytes, limit)
        return Array(bytes[..<max(count, 0)])
    }

    /// Reads until this many newlines have come.
    func readLines(_ count: Int) -> [String] {
        var bytes: [UInt8] = []
        var lines = 0
        while lines < count {
            let chunk = self.read()
            guard !chunk.isEmpty else { break }
            lines += chunk.count { $0 == UInt8(ascii: "\n") }
            bytes += chunk
        }
        return bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// Fills the pipe, so that a blocking write to it waits. Returns how many bytes it took.
    func fill() -> Int {
        let flags = fcntl(self.writeEnd, F_GETFL)
        precondition(fcntl(self.writeEnd, F_SETFL, flags | O_NONBLOCK) == 0)
        let chunk = [UInt8](repeating: UInt8(ascii: "#"), count: 4_096)
        var total = 0
        while true {
            let count = write(self.writeEnd, chunk, chunk.count)
            guard count > 0 else { break }
            total += count
        }
        precondition(fcntl(self.writeEnd, F_SETFL, flags) == 0)
        return total
    }
}
