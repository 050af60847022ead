import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Stopping", .timeLimit(.minutes(10)))
    struct ShutdownTests {
        /// The answers that the writers of a test received.
        private final class Journal: Sendable {
            let acknowledged = Mutex<[(key: [UInt8], revision: Int)]>([])
            let refusals = Mutex<[Int: Int]>([:])
        }

        @Test(arguments: [Front.kvService, Front.apiGateway])
        func `a stop under load loses no acknowledged write and exits 0`(front: Front) throws {
            let folder = TemporaryFolder()
            let journal = Journal()
            do {
                let services = try Services(folder: folder)
                let port = front == .kvService ? services.kvPort : services.gatewayPort
                let threads = Threads()
                for writer in 0..<16 {
                    threads.start { Self.write(as: writer, port: port, through: front, into: journal) }
                }
                _ = try Poll.until("200 writes are acknowledged") {
                    journal.acknowledged.withLock { $0.count } >= 200 ? true : nil
                }
                services.kv.child.signal(SIGTERM)
                #expect(try services.kv.child.waitForEnd() == .exited(0), "\(services.kv.child.output.suffix(2_000))")
                let finished = try services.kv.waitForLog("shutdown finished")
                #expect(finished.string("result") == "clean")
                #expect(services.kv.log.contains { $0.string("message") == "shutdown started" })
                #expect(try services.gateway?.stop() == .exited(0))
                threads.join()
            }
            let services = try Services(folder: folder, withGateway: false)
            let client = try KeyValueClient(services, through: .kvService)
            let acknowledged = journal.acknowledged.withLock { $0 }
            for (key, revision) in acknowledged {
                let answer = try client.get(key)
                #expect(answer.status == 200, "\(String(decoding: key, as: UTF8.self)) is lost")
                #expect(try answer.json.integer("revision") == revision)
            }
            print(
                "stop under load through \(front): \(acknowledged.count) acknowledged, none lost;",
                "refused by status: \(journal.refusals.withLock { $0 })")
        }

        /// Writes new keys until the service accepts no more.
        private static func write(as writer: Int, port: UInt16, through front: Front, into journal: Journal) {
            guard let client = try? KeyValueClient(port: port, through: front) else { return }
            for number in 0..<1_000_000 {
                let key = Array("w\(writer)-\(number)".utf8)
                guard let answer = try? client.set(key, key) else { return }
                if answer.status == 200, let revision = try? answer.json.integer("revision") {
                    journal.acknowledged.withLock { $0.append((key, revision)) }
                } else {
                    journal.refusals.withLock { $0[answer.status, default: 0] += 1 }
                    if answer["Connection"]?.lowercased() == "close" || answer.status >= 500 { return }
                }
            }
        }

        @Test(arguments: [SIGTERM, SIGINT])
        func `both signals stop both services cleanly, with idle connections open`(signal: Int32) throws {
            let services = try Services()
            let idle = try [HTTPConnection(port: services.kvPort), HTTPConnection(port: services.gatewayPort)]
            for connection in idle { _ = try connection.request("GET", "/health") }
            for service in [try #require(services.gateway), services.kv] {
                service.child.signal(signal)
                #expect(try service.child.waitForEnd(seconds: 5) == .exited(0), "\(service.child.output.suffix(2_000))")
                #expect(try service.waitForLog("shutdown finished").string("result") == "clean")
            }
            for connection in idle { #expect(try connection.isClosedByServer()) }
        }

        /// A write whose body never ends, which the service is reading when this returns.
        private static func stuckWrite(at services: Services) throws -> HTTPConnection {
            let stuck = try HTTPConnection(port: services.kvPort)
            try stuck.send(
                Array("PUT /kv/set?key=a HTTP/1.1\r\nHost: t\r\nContent-Type: application/octet-stream\r\n".utf8)
                    + Array("Content-Length: 10\r\n\r\n12345".utf8)
            )
            let scraper = try HTTPConnection(port: services.kvPort)
            _ = try Poll.until("the write is being read beside the scrape") {
                let text = String(decoding: try scraper.request("GET", "/metrics").body, as: UTF8.self)
                return text.contains("\nhttp_requests_in_flight 2\n") ? true : nil
            }
            return stuck
        }

        @Test(arguments: [Front.kvService, Front.apiGateway])
        func `a stop sends an answer to its end, and does not wait for a part of a head`(front: Front) throws {
            let limits = ["--max-value-bytes", "4MiB"]
            let services = try Services(kvArguments: limits, gatewayArguments: limits)
            let value = (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 >> 8) }
            #expect(try KeyValueClient(services, through: .kvService).set(Array("large".utf8), value).status == 200)
            let port = front == .kvService ? services.kvPort : services.gatewayPort
            let service = front == .kvService ? services.kv : try #require(services.gateway)
            // Too small a buffer for the answer: most of it waits in the service.
            let slow = try HTTPConnection(port: port, receiveBufferBytes: 8_192)
            try slow.send(
                Array("GET /\(front.rawValue)/get?key=large HTTP/1.1\r\nHost: t\r\n".utf8)
                    + Array("Accept: application/octet-stream\r\n\r\n".utf8))
            let partial = try HTTPConnection(port: port)
            try partial.send(Array("GET /livez HT".utf8))
            _ = try Poll.until("the large value is answered") {
                service.log.contains { $0.string("handler") == "\(front.rawValue)_get" } ? true : nil
            }
            service.child.signal(SIGTERM)
            try service.waitForLog("shutdown started")
            #expect(try slow.receive().body == value)
            #expect(try service.child.waitForEnd(seconds: 8) == .exited(0), "\(service.child.output.suffix(2_000))")
            #expect(try service.waitForLog("shutdown finished").string("result") == "clean")
            #expect(try partial.isClosedByServer())
        }

        @Test func `a second signal ends the service at once`() throws {
            // A request whose body never arrives delays the drain.
            let services = try Services(kvArguments: ["--shutdown-timeout", "60s"], withGateway: false)
            let stuck = try Self.stuckWrite(at: services)
            defer { withExtendedLifetime(stuck) {} }
            services.kv.child.signal(SIGTERM)
            try services.kv.waitForLog("shutdown started")
            #expect(services.kv.child.endingIfEnded() == nil)
            services.kv.child.signal(SIGTERM)
            #expect(try services.kv.child.waitForEnd(seconds: 5) == .exited(128 + SIGTERM))
        }

        @Test func `a drain that does not end within the timeout exits 1`() throws {
            let services = try Services(kvArguments: ["--shutdown-timeout", "300ms"], withGateway: false)
            let stuck = try Self.stuckWrite(at: services)
            #expect(try services.kv.stop(seconds: 10) == .exited(1), "\(services.kv.child.output.suffix(2_000))")
            #expect(try services.kv.waitForLog("shutdown finished").string("result") != "clean")
            // The write is answered and logged with its real outcome.
            let answer = try stuck.receive()
            #expect(answer.status == 503)
            #expect(try answer.json.string("code") == "stopping")
            #expect(try answer.json.string("applied") == "no")
            let line = try #require(services.kv.log.first { $0.string("handler") == "kv_set" })
            #expect(line.integer("status") == 503)
            #expect(line.string("code") == "stopping")
        }
    }
}
