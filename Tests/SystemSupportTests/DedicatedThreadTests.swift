import Glibc
import Synchronization
import SystemSupport
import TestSupport
import Testing

@Suite("Thread of its own", .timeLimit(.minutes(1)))
struct DedicatedThreadTests {
    private final class Seen: Sendable {
        let name = Mutex("")
        let blocked = Mutex<Set<Int32>>([])
    }

    @Test func `has its name and leaves signals to others, but for those of its own faults`() throws {
        let seen = Seen()
        let thread = try DedicatedThread.start(name: "its-own-name") {
            if let file = unsafe fopen("/proc/thread-self/comm", "re") {
                var text = [CChar](repeating: 0, count: 32)
                if unsafe fgets(&text, 32, file) != nil {
                    let bytes = text.prefix { $0 != 0 && $0 != 0x0A }.map(UInt8.init(bitPattern:))
                    seen.name.withLock { $0 = String(decoding: bytes, as: UTF8.self) }
                }
                unsafe fclose(file)
            }
            var mask = sigset_t()
            unsafe pthread_sigmask(SIG_BLOCK, nil, &mask)
            let blocked = [SIGTERM, SIGUSR1, SIGPIPE, SIGSEGV, SIGILL].filter { unsafe sigismember(&mask, $0) == 1 }
            seen.blocked.withLock { $0 = Set(blocked) }
        }
        #expect(try TimeLimit.ends { thread.join() })
        #expect(seen.name.withLock { $0 } == "its-own-name")
        #expect(seen.blocked.withLock { $0 } == [SIGTERM, SIGUSR1, SIGPIPE])
    }

    @Test func `whoever starts one takes signals as before`() throws {
        let seen = Seen()
        // On a thread of its own, as the mask is a thread's.
        let starter = try DedicatedThread.start(name: "starter") {
            var none = sigset_t()
            unsafe sigemptyset(&none)
            unsafe sigaddset(&none, SIGHUP)
            unsafe pthread_sigmask(SIG_SETMASK, &none, nil)
            do { try DedicatedThread.start(name: "started") {} } catch { Issue.record(error) }
            var mask = sigset_t()
            unsafe pthread_sigmask(SIG_BLOCK, nil, &mask)
            let blocked = (1...SIGSYS).filter { unsafe sigismember(&mask, $0) == 1 }
            seen.blocked.withLock { $0 = Set(blocked) }
        }
        #expect(try TimeLimit.ends { starter.join() })
        #expect(seen.blocked.withLock { $0 } == [SIGHUP])
    }

    @Test func `one that could not be started says which limits to look at`() {
        #expect(
            ThreadError(name: "kv-writer", code: EAGAIN).description
                == "the thread kv-writer could not be started: Resource temporarily unavailable (errno 11); the limit "
                + "of processes and threads (ulimit -u, pids.max, TasksMax) or of memory is reached")
    }
}
