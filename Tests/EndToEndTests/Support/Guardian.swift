import Glibc
import Synchronization
import Testing

/// Kills the processes that tests started, and unmounts what they mounted, if the test process dies before it has done
/// so itself.
///
/// A shell holds the list and reads it from a pipe; the end of the pipe is the end of the test process.
final class Guardian: Sendable {
    static let shared = Guardian()

    private let pipe: Int32

    private init() {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { fatalError("pipe: \(errno)") }
        // No child may hold the writing end, else the pipe would not end with this process.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // A guardian that does not read must not hold up the tests.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let script = """
            pids=' '
            mounts=' '
            while read -r action pid; do
                case $action in
                +) pids="$pids$pid " ;;
                -) pids="${pids%% $pid *} ${pids#* $pid }" ;;
                m) mounts=" $pid$mounts" ;;
                u) mounts="${mounts%% $pid *} ${mounts#* $pid }" ;;
                esac
            done
            for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
            for mount in $mounts; do umount -l "$mount" 2>/dev/null; done
            """
        do {
            // In a session of its own, so that the signals of a terminal do not end it before its work begins.
            _ = try Spawn.process("/usr/bin/setsid", ["/bin/sh", "-c", script], standardInput: ends[0])
        } catch {
            fatalError("cannot start the guardian: \(error)")
        }
        close(ends[0])
        self.pipe = ends[1]
    }

    func watch(_ pid: pid_t) {
        self.tell("+ \(pid)\n")
    }

    func forget(_ pid: pid_t) {
        self.tell("- \(pid)\n")
    }

    /// Nothing of a path may be a space.
    func watch(mount path: String) {
        self.tell("m \(path)\n")
    }

    func forget(mount path: String) {
        self.tell("u \(path)\n")
    }

    /// A line is less than `PIPE_BUF`: it is written whole or not at all.
    private func tell(_ line: String) {
        var room = pollfd(fd: self.pipe, events: Int16(POLLOUT), revents: 0)
        guard poll(&room, 1, 10_000) == 1, write(self.pipe, line, line.utf8.count) == line.utf8.count else {
            Issue.record("the guardian does not take '\(line)': errno \(errno)")
            return
        }
    }
}
