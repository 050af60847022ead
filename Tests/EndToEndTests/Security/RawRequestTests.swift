import TestSupport
import Testing

extension EndToEnd {
    /// Requests that are malformed, or that two parsers could read differently. Those that the gateway takes reach
    /// kv-service as what they are, the others not at all, and nothing else does.
    @Suite("Malformed and ambiguous requests through the gateway", .timeLimit(.minutes(10)))
    struct RawRequestTests {
        enum Transport: CaseIterable, Sendable {
            case plain, tls
        }

        /// Both services, and how a client connects to the gateway.
        private struct Target {
            let kv: ServiceProcess
            let gateway: ServiceProcess
            let port: UInt16
            let trust: ClientTrust?
            let stop: () throws -> [Ending]
            /// Also those of `GET /`.
            private static let allLines = ["--log-level", "debug"]

            init(_ transport: Transport) throws {
                switch transport {
                case .plain:
                    let services = try Services(kvArguments: Self.allLines, gatewayArguments: Self.allLines)
                    (self.kv, self.gateway) = (services.kv, try #require(services.gateway))
                    (self.port, self.trust, self.stop) = (services.gatewayPort, nil, services.stop)
                case .tls:
                    let services = try SecureServices(kvArguments: Self.allLines, gatewayArguments: Self.allLines)
                    (self.kv, self.gateway, self.port) = (services.kv, services.gateway, services.gatewayPort)
                    self.trust = try ClientTrust(authority: services.authority.certificate)
                    self.stop = services.stop
                }
            }

            /// All that the store contains.
            func stored() throws -> [[UInt8]: [UInt8]] {
                var found: [[UInt8]: [UInt8]] = [:]
                var cursor: String?
                repeat {
                    let connection = try RawConnection(port: self.port, trust: self.trust)
                    let query = "values=true&limit=1000" + (cursor.map { "&cursor=\($0)" } ?? "")
                    connection.send(
                        Array("GET /api/keys?\(query) HTTP/1.1\r\nHost: a\r\nX-Request-Id: page\r\n\r\n".utf8))
                    let page = try #require(try connection.answers(1).first).json
                    for entry in page.objects("keys") {
                        let key = try #require(entry.bytes("key"))
                        let value = try #require(entry.bytes("value"))
                        found[key] = value
                    }
                    cursor = page.string("cursor")
                } while cursor != nil
                return found
            }
        }

        @Test(arguments: Transport.allCases)
        func `none reaches kv-service as something else, and the access lines of both services agree`(
            transport: Transport
        ) throws {
            let target = try Target(transport)
            let run = RawRun(port: target.port, trust: target.trust)
            var faults = run.all()
            let exchanges = run.exchanges
            faults += try Self.compare(target.stored(), with: exchanges)
            #expect(try target.stop() == [.exited(0), .exited(0)])
            faults += Self.compare(Self.lines(target.kv), Self.lines(target.gateway), with: exchanges)
            #expect(faults == [])
            print("\(transport): \(RawRequest.all.count) requests on \(exchanges.count) connections")
        }

        private static func lines(_ process: ServiceProcess) -> [JSONObject] {
            process.log.filter { line in
                line.string("message") == "request" && line.string("request_id") != "page"
                    && line.string("handler") != "readyz"
            }
        }

        private static func compare(_ stored: [[UInt8]: [UInt8]], with exchanges: [RawExchange]) -> [String] {
            var rest = stored
            var faults: [String] = []
            for exchange in exchanges {
                for (key, value) in exchange.stored where rest.removeValue(forKey: key) != value {
                    let found = stored[key].map { String(decoding: $0, as: UTF8.self) }
                    faults.append("\(exchange.description): the store has \(found ?? "nothing")")
                }
            }
            return faults
                + rest.keys.map { "nothing allows the key \(String(decoding: $0, as: UTF8.self).debugDescription)" }
        }

        /// Each answer has one line of the gateway, and, if its request may reach kv-service, one there, which says the
        /// same; and there are no others.
        private static func compare(
            _ kv: [JSONObject], _ gateway: [JSONObject], with exchanges: [RawExchange]
        ) -> [String] {
            var faults: [String] = []
            var kvLines = Dictionary(grouping: kv) { $0.string("request_id") ?? "" }
            var gatewayLines = Dictionary(grouping: gateway) { $0.string("request_id") ?? "" }
            for exchange in exchanges {
                var expected: [String: (statuses: [Int], reaches: [RawRequest.Reach])] = [:]
                for (place, answer) in exchange.answers.enumerated() {
                    let id = answer["X-Request-Id"] ?? ""
                    expected[id, default: ([], [])].statuses.append(answer.status)
                    if place < exchange.expectedReaches.count, let reach = exchange.expectedReaches[place] {
                        expected[id]?.reaches.append(reach)
                    }
                }
                for (id, expected) in expected {
                    let ours = gatewayLines.removeValue(forKey: id) ?? []
                    let theirs = kvLines.removeValue(forKey: id) ?? []
                    faults += Self.compare(theirs, ours, expected.statuses, expected.reaches).map {
                        "\(exchange.description), \(id): \($0)"
                    }
                }
            }
            return faults + kvLines.keys.map { "kv-service has a request that nobody sent: \($0)" }
                + gatewayLines.keys.map { "the gateway has a line without an answer: \($0)" }
        }

        /// The lines of one request id.
        private static func compare(
            _ kv: [JSONObject], _ gateway: [JSONObject], _ statuses: [Int], _ reaches: [RawRequest.Reach]
        ) -> [String] {
            func summary(_ lines: [JSONObject]) -> [String] {
                lines.map { "\($0.string("method") ?? "") \($0.string("path") ?? "") \($0.integer("status") ?? 0)" }
            }
            var faults: [String] = []
            if gateway.map({ $0.integer("status") ?? 0 }) != statuses {
                faults.append("answered \(statuses), and the gateway's lines are \(summary(gateway))")
            }
            let expected = reaches.map { "\($0.method) \($0.path) \($0.status)" }
            if summary(kv) != expected { faults.append("kv-service got \(summary(kv)), not \(expected)") }
            if gateway.compactMap({ $0.integer("upstream_status") }) != kv.map({ $0.integer("status") ?? 0 }) {
                faults.append("the lines of the gateway and of kv-service have different answers of kv-service")
            }
            if gateway.contains(where: { $0.integer("attempts") ?? 1 != 1 }) {
                faults.append("a request was sent to kv-service more than once")
            }
            return faults
        }

        /// However a request is divided into writes, and into records of TLS, it is the same.
        @Test(arguments: Transport.allCases)
        func `a request in two writes, divided at each byte, is one request`(transport: Transport) throws {
            let target = try Target(transport)
            let text =
                "PUT /api/set?key=%61 HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\nxy\r\n1\r\nz\r\n0\r\nX: y\r\n\r\n"
            let bytes = RawRequest.bytes(text)
            let connection = try RawConnection(port: target.port, trust: target.trust)
            for place in 1..<bytes.count {
                connection.send(Array(bytes[..<place]))
                connection.send(Array(bytes[place...]))
                #expect(try connection.answers(place).map(\.status).suffix(1) == [200], "divided before byte \(place)")
            }
            #expect(try target.stored() == [Array("a".utf8): Array("xyz".utf8)])
            // One that is refused: whatever its first write contains, nothing is carried out.
            let refused = RawRequest.bytes(text.replacing("%61", with: "b").replacing("1\r\nz", with: "1\r\nzz"))
            for place in stride(from: 1, to: refused.count, by: transport == .plain ? 1 : 7) {
                let connection = try RawConnection(port: target.port, trust: target.trust)
                connection.send(Array(refused[..<place]))
                connection.send(Array(refused[place...]))
                #expect(try connection.answers(.max).map(\.status) == [400], "divided before byte \(place)")
            }
            #expect(try target.stored() == [Array("a".utf8): Array("xyz".utf8)])
            #expect(try target.stop() == [.exited(0), .exited(0)])
            #expect(Self.lines(target.kv).count == bytes.count - 1)
        }
    }
}
