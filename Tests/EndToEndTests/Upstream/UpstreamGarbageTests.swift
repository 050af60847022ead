import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    /// Whatever answers in kv-service's place, the gateway does not take it for kv-service.
    @Suite("Garbage in place of kv-service's answers", .timeLimit(.minutes(10)))
    struct UpstreamGarbageTests {
        /// With these limits the largest answer that the gateway reads, to a transaction of 128 gets, is 3.2 MB. Its buffer
        /// grows to 4 MiB, and the one before that is there while it is copied; the allocator keeps as much again. What is
        /// sent in each of the endless kinds is many times that.
        private static let limits = ["--max-value-bytes", "4KiB", "--max-key-bytes", "64"]
        private static let mostGrowth = 12 << 20

        /// kv-service, what stands before it, and the gateway.
        private struct Target {
            let services: Services
            let upstream: FakeUpstream
            let gateway: ServiceProcess
            let port: UInt16
            let connection: HTTPConnection

            init() throws {
                self.services = try Services(withGateway: false)
                self.upstream = try FakeUpstream(kvPort: self.services.kvPort)
                // Long enough for what is endless to become too much on a busy machine, and waited for only by what is silent.
                self.gateway = try Services.startGateway(
                    in: self.services.folder, upstreamPort: self.upstream.port,
                    ["--upstream-timeout", "2s"] + UpstreamGarbageTests.limits)
                self.port = try self.gateway.waitForPort()
                try self.gateway.waitUntilReady(port: self.port)
                self.connection = try HTTPConnection(port: self.port)
            }

            func send(_ operation: Operation, _ id: String) throws -> HTTPAnswer {
                try self.connection.request(
                    operation.body == nil ? "GET" : "POST", operation.target,
                    headers: [("X-Request-Id", id), ("Content-Type", "application/json")],
                    body: operation.body.map { Array($0.utf8) })
            }

            /// How long it takes until a write succeeds.
            func recover() throws -> Duration {
                let began = ContinuousClock.now
                _ = try Poll.until("a write succeeds") {
                    let answer = try self.send(Operation.set("recovered"), "recovered")
                    return answer.status == 200 ? true : nil
                }
                return .now - began
            }

            func stop() throws {
                #expect(try self.gateway.stop() == .exited(0))
                #expect(try self.services.stop() == [.exited(0)])
            }
        }

        private struct Operation {
            let name: String
            let target: String
            let body: String?
            /// Of a write.
            let key: String?

            static func set(_ key: String) -> Operation {
                Operation(name: "set", target: "/api/set", body: #"{"key":"\#(key)","value":"1"}"#, key: key)
            }

            /// Increments first: they may be sent again before the circuit opens, and tell if that counts twice.
            static func all(_ prefix: String) -> [Operation] {
                [
                    Operation(name: "get", target: "/api/get?key=there", body: nil, key: nil),
                    Operation(
                        name: "incr", target: "/api/incr", body: #"{"key":"\#(prefix)/incr"}"#, key: "\(prefix)/incr"),
                    .set("\(prefix)/set"),
                    Operation(
                        name: "txn", target: "/api/txn",
                        body: #"{"operations":[{"op":"set","key":"\#(prefix)/txn","value":"1"}]}"#,
                        key: "\(prefix)/txn"),
                ]
            }
        }

        @Test func `is answered 502 or 504 with a true applied, never as a success or a missing key`() throws {
            let target = try Target()
            #expect(try target.send(.set("there"), "there").status == 200)
            let before = try target.gateway.mostResidentBytes
            var faults: [String] = []
            var (slowest, slowestKind) = (Duration.zero, "")
            var told: [String: String] = [:]
            for (number, kind) in UpstreamGarbage.all.enumerated() {
                target.upstream.treat { request, forward in
                    let answer = kind.isForwarded ? forward() : try? UpstreamGarbage.fitting(request)
                    return answer.map { kind.steps(request, $0) } ?? [.close]
                }
                for operation in Operation.all("k\(number)") {
                    let id = "k\(number)-\(operation.name)"
                    let answer = try target.send(operation, id)
                    faults += try Self.faults(of: answer, kind, operation, wasSent: target.upstream.received(id)).map {
                        "\(kind), \(operation.name): \($0): \(answer.status) \(answer.text)"
                    }
                    if let key = operation.key {
                        told[key] = answer.status == 200 ? "yes" : try answer.json.string("applied")
                    }
                }
                target.upstream.treat(nil)
                let recovery = try target.recover()
                if recovery > slowest { (slowest, slowestKind) = (recovery, "\(kind)") }
                let read = try target.send(Operation.all("")[0], "read")
                if read.status != 200 { faults.append("\(kind): a read afterwards: \(read.status) \(read.text)") }
            }
            faults += try Self.compare(told, withStoreAt: target.services.kvPort)
            let growth = try target.gateway.mostResidentBytes - before
            print(
                "\(UpstreamGarbage.all.count) kinds of garbage: the gateway's memory grew by \(growth >> 10) KiB, the",
                "slowest recovery took \(slowest / .milliseconds(1)) ms, after: \(slowestKind)")
            #expect(faults == [])
            #expect(growth < Self.mostGrowth)
            #expect(slowest < .seconds(5))
            try target.stop()
        }

        private static func faults(
            of answer: HTTPAnswer, _ kind: UpstreamGarbage, _ operation: Operation, wasSent: Bool
        ) throws -> [String] {
            guard let applied = kind.applied else {
                return answer.status == 200 ? [] : ["a true answer is not passed on"]
            }
            var faults: [String] = []
            if !(500...599).contains(answer.status) { faults.append("not a failure") }
            guard let json = try? answer.json else { return ["no document"] }
            if !kind.codes.contains(json.string("code") ?? "") { faults.append("not one of \(kind.codes.sorted())") }
            let expected = operation.key == nil ? nil : wasSent ? applied : "no"
            if json.string("applied") != expected { faults.append("applied is not \(expected ?? "missing")") }
            return faults
        }

        private static func compare(_ told: [String: String], withStoreAt port: UInt16) throws -> [String] {
            let connection = try HTTPConnection(port: port)
            return try told.compactMap { key, applied in
                let answer = try connection.request("GET", "/kv/get?key=\(key)")
                let value = answer.status == 200 ? try answer.json.string("value") : nil
                // What was carried out twice would be 2.
                if let value, value != "1" { return "\(key) is \(value)" }
                if applied == "yes", value == nil { return "\(key) was acknowledged and is missing" }
                return applied == "no" && value != nil ? "\(key) is there, and its client was told that it is not" : nil
            }
        }

        @Test func `to probes too makes the gateway not ready, and it recovers within a second`() throws {
            let target = try Target()
            let page = try #require(UpstreamGarbage.all.first { $0.description == "a page with 200" })
            target.upstream.treat(spoilsProbes: true) { request, _ in
                (try? UpstreamGarbage.fitting(request)).map { page.steps(request, $0) } ?? [.close]
            }
            _ = try Poll.until("the gateway is not ready, and refuses writes and reads") {
                let statuses = try [
                    target.connection.request("GET", "/readyz").status, target.send(.set("a"), "a").status,
                    target.send(Operation.all("")[0], "b").status,
                ]
                return statuses == [503, 503, 503] ? true : nil
            }
            target.upstream.treat(nil)
            let recovery = try target.recover()
            print("after garbage to everything: a write succeeds after \(recovery / .milliseconds(1)) ms")
            #expect(recovery < .seconds(5))
            try target.gateway.waitUntilReady(port: target.port)
            try target.stop()
        }
    }
}
