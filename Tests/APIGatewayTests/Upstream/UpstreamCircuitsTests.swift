import Testing

@testable import APIGateway

@Suite("The circuits for reads and writes", .timeLimit(.minutes(1)))
struct UpstreamCircuitsTests {
    private static let limits = {
        var limits = CircuitBreaker.Limits()
        limits.failuresToOpen = 2
        return limits
    }()

    private func circuits(failing operation: UpstreamOperation, with failure: UpstreamFailure) -> UpstreamCircuits {
        let circuits = UpstreamCircuits(limits: Self.limits)
        for _ in 1...2 { _ = circuits.failed(failure, of: operation, now: 1) }
        return circuits
    }

    private func open(_ circuits: UpstreamCircuits) -> [UpstreamCircuit] {
        UpstreamCircuit.allCases.filter { circuits.status($0).state != .closed }
    }

    @Test(arguments: [
        UpstreamFailure.timeout(sent: true), .reset(sent: true), .protocolError("nonsense"),
    ])
    func `count failures of requests apart`(failure: UpstreamFailure) {
        #expect(self.open(self.circuits(failing: .get, with: failure)) == [.reads])
        #expect(self.open(self.circuits(failing: .set, with: failure)) == [.writes])
        let writes = self.circuits(failing: .delete, with: failure)
        #expect(self.open(writes) == [.writes])
        #expect(writes.refusal(of: .set, now: 2) != nil && writes.refusal(of: .delete, now: 2) != nil)
        #expect(writes.refusal(of: .get, now: 2) == nil && writes.refusal(of: .probe, now: 2) == nil)
        // A failed probe means that kv-service is unreachable for every request.
        #expect(self.open(self.circuits(failing: .probe, with: failure)) == [.reads, .writes])
    }

    @Test func `open together when no connection can be opened, and any answer closes both`() {
        for answered in UpstreamOperation.allCases {
            let circuits = self.circuits(failing: .set, with: .connect("refused"))
            #expect(self.open(circuits) == [.reads, .writes])
            #expect(circuits.status(.reads).openedAtNanoseconds == 1)
            let closed = circuits.succeeded(answered)
            #expect(closed.map(\.circuit) == [.reads, .writes] && closed.allSatisfy { $0.openedAtNanoseconds == 1 })
            #expect(self.open(circuits) == [] && circuits.succeeded(answered).isEmpty)
        }
    }

    @Test func `close by an answer to a request of their own, reads by a probe too`() {
        let writes = self.circuits(failing: .set, with: .timeout(sent: true))
        for other in [UpstreamOperation.get, .probe] {
            #expect(writes.succeeded(other).isEmpty)
            #expect(self.open(writes) == [.writes])
        }
        #expect(writes.succeeded(.delete).map(\.circuit) == [.writes])
        let reads = self.circuits(failing: .get, with: .timeout(sent: true))
        #expect(reads.succeeded(.set).isEmpty)
        #expect(self.open(reads) == [.reads])
        #expect(reads.succeeded(.probe).map(\.circuit) == [.reads])
    }

    @Test func `that opened while kv-service was away close when it is back, whatever failed first`() {
        let circuits = self.circuits(failing: .set, with: .timeout(sent: true))
        #expect(circuits.failed(.connect("refused"), of: .probe, now: 2) == [])
        #expect(circuits.succeeded(.probe).map(\.circuit) == [.writes])
        #expect(self.open(circuits) == [])
    }

    @Test func `an answer of one kind leaves the failures in a row of the other`() {
        let circuits = UpstreamCircuits(limits: Self.limits)
        #expect(circuits.failed(.timeout(sent: true), of: .set, now: 1) == [])
        #expect(circuits.succeeded(.get).isEmpty)
        #expect(circuits.failed(.timeout(sent: true), of: .delete, now: 2) == [.writes])
        #expect(circuits.status(.writes).openedAtNanoseconds == 2)
    }
}
