import Testing

@testable import ServiceKit

@Suite struct ServiceGateTests {
    @Test func `the service is ready in one state only, and while every check holds`() {
        let gate = ServiceGate(service: "test")
        #expect(!gate.isReady)
        for state in [ServiceGate.State.replaying, .readOnly(reason: "r"), .failed(reason: "f")] {
            gate.set(state)
            #expect(!gate.isReady && !gate.readiness().isReady)
        }
        gate.set(.ready)
        #expect(gate.isReady && gate.readiness().isReady)
        gate.add(ServiceGate.Check(name: "fine") { nil })
        #expect(gate.isReady)
        gate.add(ServiceGate.Check(name: "log_writable") { "the disk is full" })
        #expect(!gate.isReady && !gate.readiness().isReady)
    }

    @Test func `a drain is never taken back`() {
        let gate = ServiceGate(service: "test")
        #expect(gate.set(.ready) == .starting)
        #expect(gate.set(.draining) == .ready)
        #expect(gate.set(.ready) == nil)
        #expect(gate.set(.failed(reason: "late")) == nil)
        #expect(gate.state == .draining)
        #expect(gate.set(.stopping) == .draining)
        #expect(gate.set(.draining) == nil)
        #expect(gate.refusal()?.code == "draining")
    }

    @Test func `the document names state, reason, checks and the progress of a replay`() {
        let gate = ServiceGate(service: "test")
        gate.add(ServiceGate.Check(name: "log_writable") { "no \"space\"" })
        gate.add(ServiceGate.Check(name: "upstream") { nil })
        gate.reportReplay { ServiceGate.ReplayProgress(bytesRead: 25, bytesTotal: 100, records: 7) }
        gate.set(.replaying)
        let replaying = String(decoding: gate.readiness().document, as: UTF8.self)
        #expect(replaying.hasPrefix(#"{"status":"unavailable","service":"test","state":"replaying","time":""#))
        #expect(
            replaying.hasSuffix(
                #""checks":[{"name":"log_writable","status":"failing","message":"no \"space\""},"#
                    + #"{"name":"upstream","status":"ok","message":null}],"#
                    + #""replay":{"bytes_read":25,"bytes_total":100,"records":7,"progress_ratio":0.25}}"#
            )
        )
        gate.set(.readOnly(reason: "disk full"))
        let readOnly = String(decoding: gate.readiness().document, as: UTF8.self)
        #expect(
            readOnly.hasPrefix(
                #"{"status":"unavailable","service":"test","state":"read_only","reason":"disk full","time":""#))
        #expect(!readOnly.contains("replay"))
    }

    @Test(arguments: [(0, 0, 1.0), (0, 10, 0.0), (20, 10, 1.0), (5, 10, 0.5)] as [(UInt64, UInt64, Double)])
    func `progress is a ratio from 0 to 1`(read: UInt64, total: UInt64, ratio: Double) {
        #expect(ServiceGate.ReplayProgress(bytesRead: read, bytesTotal: total, records: 0).ratio == ratio)
    }
}
