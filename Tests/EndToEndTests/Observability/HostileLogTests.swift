import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// No client controls the content of the log: every line is one line of strict JSON and describes its own request,
    /// and there is one line for each answer.
    @Suite("The log under hostile clients", .timeLimit(.minutes(10)))
    struct HostileLogTests {
        private struct Sent {
            let request: [UInt8]
            /// The expected content of the line, as far as it is known in advance.
            var path: String?
            var userAgent: String?
        }

        private static let requestsPerService = 400

        @Test(arguments: Front.allCases)
        func `each answer has one line that no client forges`(front: Front) throws {
            let seed = UInt64.random(in: 0 ... .max)
            print("hostile clients of \(front): seed \(seed)")
            var generator = SeededGenerator(seed: seed)
            let services = try Services(
                // With the lines of probes, as `GET /` counts for one.
                kvArguments: ["--event-loops", "1", "--log-level", "debug"],
                gatewayArguments: ["--event-loops", "1", "--log-level", "debug"],
                withGateway: front == .apiGateway
            )
            let service = try front == .kvService ? services.kv : #require(services.gateway)
            let port = front == .kvService ? services.kvPort : services.gatewayPort
            var expected: [String: Sent] = [:]
            for number in 0..<Self.requestsPerService {
                let sent = Self.request(number, prefix: front.rawValue, using: &generator)
                let answers = try HTTPConnection(port: port).exchangeToEnd(sent.request)
                for (index, id) in Self.requestIDs(answers).enumerated() {
                    // Text after a line break may have become a separate request, about which nothing is known.
                    expected[id] = index == 0 ? sent : Sent(request: sent.request)
                }
            }
            #expect(expected.count > Self.requestsPerService / 2)
            _ = try services.stop()
            // Until it was ready, the service was polled; a failing probe is logged at info.
            let lines = service.log.filter {
                $0.string("message") == "request" && $0.string("handler") != "readyz"
            }
            #expect(lines.count == expected.count, "seed \(seed)")
            for line in lines {
                let id = line.string("request_id") ?? ""
                guard let sent = expected.removeValue(forKey: id) else {
                    Issue.record("seed \(seed): a line without an answer, or two: \(line.members)")
                    continue
                }
                let request = String(decoding: sent.request, as: UTF8.self).debugDescription
                #expect(line.string("level") != "fatal", "seed \(seed): \(request)")
                if let path = sent.path { #expect(line.string("path") == path, "seed \(seed): \(request)") }
                if let agent = sent.userAgent {
                    #expect(line.string("user_agent") == agent, "seed \(seed): \(request)")
                }
            }
            for sent in expected.values {
                Issue.record("seed \(seed): an answer without a line: \(String(decoding: sent.request, as: UTF8.self))")
            }
            try Self.checkWithPython(services, seed: seed)
            for process in [services.kv, services.gateway].compactMap({ $0 }) {
                #expect(!process.child.output.contains("Kprivate"), "seed \(seed)")
            }
        }

        private static func checkWithPython(_ services: Services, seed: UInt64) throws {
            let logs = [services.kv, services.gateway].compactMap { $0?.child.outputPath }
            let check = try ChildProcess(
                "/usr/bin/env",
                ["python3", Repository.path("Tests/Tools/check-log-lines")] + logs,
                output: services.folder.file("check-log-lines")
            )
            #expect(try check.waitForEnd() == .exited(0), "seed \(seed): \(check.output)")
        }

        /// A request with hostile bytes in one place after another.
        private static func request(_ number: Int, prefix: String, using generator: inout SeededGenerator) -> Sent {
            let hostile = HostileText.next(using: &generator)
            let get = "GET /\(prefix)/get?key=a HTTP/1.1"
            func head(_ line: [UInt8], _ fields: [UInt8] = []) -> [UInt8] {
                line + Array("\r\nHost: a\r\nConnection: close\r\n".utf8) + fields + Array("\r\n".utf8)
            }
            func field(_ name: String, _ value: [UInt8]) -> Sent {
                Sent(request: head(Array(get.utf8), Array("\(name): ".utf8) + value + Array("\r\n".utf8)))
            }
            func json(_ text: String) -> [UInt8] {
                let fields = "Content-Type: application/json\r\nContent-Length: "
                let bytes = Array(text.utf8.prefix { $0 != 0 }) + hostile + Array("\"}".utf8)
                return head(
                    Array("POST /\(prefix)/set HTTP/1.1".utf8),
                    Array("\(fields)\(bytes.count)\r\n".utf8)
                ) + bytes
            }
            switch number % 14 {
            case 0: return Sent(request: head(Array("GET /".utf8) + hostile + Array(" HTTP/1.1".utf8)))
            case 1:
                let path = HostileText.path(using: &generator)
                let shown = [UInt8(ascii: "/")] + path.prefix { $0 != UInt8(ascii: "?") }
                return Sent(
                    request: head(Array("GET /".utf8) + path + Array(" HTTP/1.1".utf8)),
                    path: Self.cut(shown)
                )
            case 2:
                let key = Array("GET /\(prefix)/get?key=Kprivate".utf8)
                return Sent(request: head(key + hostile + Array(" HTTP/1.1".utf8)))
            case 3: return Sent(request: head(hostile + Array(" /\(prefix)/get HTTP/1.1".utf8)))
            case 4: return field("User-Agent", hostile)
            case 5, 6:
                let value = HostileText.fieldValue(using: &generator)
                var sent = field("User-Agent", value)
                sent.userAgent = Self.cut(value)
                return sent
            case 7: return field("X-Request-Id", hostile)
            case 8: return field("traceparent", hostile)
            case 9:
                let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: "
                return field("traceparent", Array(parent.utf8) + hostile)
            case 10: return field("Host", hostile)
            case 11: return Sent(request: head(Array(get.utf8), hostile + Array(": a\r\n".utf8)))
            case 12: return Sent(request: json(#"{"value":"a","key":"Kprivate"#))
            default: return Sent(request: json(#"{"key":"a","value":"Kprivate"#))
            }
        }

        /// The value of `X-Request-Id` in each answer.
        private static func requestIDs(_ answers: [UInt8]) -> [String] {
            String(decoding: answers, as: UTF8.self).components(separatedBy: "\r\n").compactMap { line in
                let name = "x-request-id: "
                return line.lowercased().hasPrefix(name) ? String(line.dropFirst(name.count)) : nil
            }
        }

        /// The part of the text that a line shows: whole characters of 256 bytes.
        private static func cut(_ bytes: [UInt8]) -> String {
            var shown = ""
            for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
                guard shown.utf8.count + String(scalar).utf8.count <= 256 else { break }
                shown.unicodeScalars.append(scalar)
            }
            return shown
        }
    }
}
