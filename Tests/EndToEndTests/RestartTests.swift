import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    /// The listening sockets belong to the test, as they belong to systemd: they are there while a service is not.
    @Suite("Restarts of services with inherited sockets", .timeLimit(.minutes(10)))
    struct RestartTests {
        /// How often each service is restarted: `TXLOG_KV_RESTARTS`, else 2.
        private static var restarts: Int { Cycles.count("TXLOG_KV_RESTARTS", else: 2) }
        /// Requests per second: `TXLOG_KV_RESTART_RATE`, else 400.
        private static var rate: Int { Cycles.count("TXLOG_KV_RESTART_RATE", else: 400) }
        private static let clients = 8

        private struct Tally {
            var answered = 0
            /// Requests on a kept connection that the service closed before their first byte was read.
            var repeated = 0
            var slowestSeconds = 0.0
            var failures: [String] = []
        }

        @Test func `refuse no connection, and answer each request with success`() throws {
            let folder = TemporaryFolder()
            let kvSocket = try LoopbackSocket(.stream)
            let gatewaySocket = try LoopbackSocket(.stream)
            for socket in [kvSocket.descriptor, gatewaySocket.descriptor] { #expect(listen(socket, 4_096) == 0) }
            var kv = try Self.start(.kvService, ["--data-dir", folder.file("kv")], kvSocket, folder)
            let gatewayArguments = [
                "--upstream", "http://127.0.0.1:\(kvSocket.port)", "--upstream-timeout", "30s",
            ]
            var gateway = try Self.start(.apiGateway, gatewayArguments, gatewaySocket, folder)
            let (tally, isOver) = (Shared(Tally()), Shared(false))
            let threads = Threads()
            let port = gatewaySocket.port
            for number in 0..<Self.clients {
                threads.start { Self.load(number, port, tally, isOver) }
            }
            for restart in 1...Self.restarts {
                let target = tally.value.answered + Self.rate / 2
                _ = try Poll.until("requests are answered") { tally.value.answered >= target ? true : nil }
                // What comes meanwhile waits in the socket.
                #expect(try gateway.stop() == .exited(0))
                gateway = try Self.start(.apiGateway, gatewayArguments, gatewaySocket, folder)
                #expect(try kv.stop() == .exited(0))
                kv = try Self.start(.kvService, ["--data-dir", folder.file("kv")], kvSocket, folder)
                if !tally.value.failures.isEmpty {
                    print("restart \(restart) failed requests")
                    break
                }
            }
            isOver.value = true
            threads.join()
            let result = tally.value
            #expect(result.failures == [])
            print(
                "restarts: \(Self.restarts) of each service, \(result.answered) requests answered, \(result.repeated) repeated",
                "on a closed connection, the slowest took \(result.slowestSeconds) s")
            #expect(try gateway.stop() == .exited(0))
            #expect(try kv.stop() == .exited(0))
        }

        @Test func `sockets that cannot be used are an error of the configuration`() throws {
            let folder = TemporaryFolder()
            let quiet = try LoopbackSocket(.stream)
            _ = fcntl(quiet.descriptor, F_SETFD, 0)
            for (variables, reason) in [
                ("LISTEN_FDS=1", "descriptor 3 is not a socket that listens"),
                ("LISTEN_FDS=1 LISTEN_FDNAMES=admin", "descriptor 3 is not a socket that listens"),
            ] {
                let process = try ServiceProcess(
                    .kvService, ["--data-dir", folder.file("kv")],
                    output: folder.file("refused-\(variables.count)"),
                    wrapper: Self.wrapper(variables, quiet.descriptor))
                #expect(try process.child.waitForEnd() == .exited(78))
                #expect(process.child.output.contains(reason), "\(process.child.output)")
            }
        }

        private static func wrapper(_ variables: String, _ descriptor: Int32) -> [String] {
            // Only the program itself gets it, as descriptor 3. Not dash, which knows no descriptors above 9.
            ["/bin/bash", "-c", #"LISTEN_PID=$$ \#(variables) exec "$@" 3<&\#(descriptor)"#, "bash"]
        }

        private static func start(
            _ program: ServiceProcess.Program, _ arguments: [String], _ socket: borrowing LoopbackSocket,
            _ folder: TemporaryFolder
        ) throws -> ServiceProcess {
            let descriptor = socket.descriptor
            _ = fcntl(descriptor, F_SETFD, 0)
            defer { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            let process = try ServiceProcess(
                program, arguments, output: folder.file("\(program.rawValue)-\(UInt32.random(in: 0 ... .max)).log"),
                wrapper: self.wrapper("LISTEN_FDS=1", descriptor))
            let listening = try process.waitForLog("listening")
            #expect(listening.string("address") == "127.0.0.1:\(socket.port)")
            try process.waitForLog("ready")
            return process
        }

        /// Half of the clients keep their connections, the others have a new one for each request.
        private static func load(_ number: Int, _ port: UInt16, _ tally: Shared<Tally>, _ isOver: Shared<Bool>) {
            var kept: HTTPConnection?
            let interval = 1e9 * Double(self.clients) / Double(self.rate)
            let began = Clock.now
            var request = 0
            while !isOver.value {
                request += 1
                let due = began + UInt64(Double(request) * interval)
                if Clock.now < due { usleep(UInt32((due - Clock.now) / 1_000)) }
                let isWrite = request % 4 == 0
                let sent = Clock.now
                var isReused = false
                while true {
                    do {
                        isReused = kept != nil
                        let connection = try kept ?? HTTPConnection(port: port)
                        let answer =
                            try isWrite
                            ? connection.request(
                                "POST", "/api/set", headers: [("Content-Type", "application/json")],
                                body: Array(#"{"key":"k\#(number)","value":"\#(request)"}"#.utf8))
                            : connection.request("GET", "/api/keys?limit=1")
                        guard answer.status == 200 else {
                            tally.change { $0.failures.append("\(answer.status): \(answer.text)") }
                            return
                        }
                        kept = number % 2 == 0 && answer["Connection"]?.lowercased() != "close" ? connection : nil
                        break
                    } catch {
                        kept = nil
                        guard isReused else {
                            tally.change { $0.failures.append("a new connection: \(error)") }
                            return
                        }
                        tally.change { $0.repeated += 1 }
                    }
                }
                let seconds = Double(Clock.now - sent) / 1e9
                tally.change {
                    $0.answered += 1
                    $0.slowestSeconds = max($0.slowestSeconds, seconds)
                }
            }
        }
    }
}

/// A value that threads share.
private final class Shared<Value: Sendable>: Sendable {
    private let held: Mutex<Value>

    init(_ value: Value) { self.held = Mutex(value) }

    var value: Value {
        get { self.held.withLock { $0 } }
        set { self.held.withLock { $0 = newValue } }
    }

    func change(_ body: (inout Value) -> Void) { self.held.withLock { body(&$0) } }
}

private enum Clock {
    /// Monotonic nanoseconds.
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
