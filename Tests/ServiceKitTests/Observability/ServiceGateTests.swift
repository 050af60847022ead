import JSON
import NIOHTTP1
import Testing

@testable import HTTP1
@testable import Health

@Suite(.timeLimit(.minutes(1)))
struct ServiceGateTests {
    @Test func `the service is ready in one state only, and while every check holds`() {
        let gate = ServiceGate(service: "test")
        #expect(!gate.isReady)
        for state in [ServiceGate.State.replaying, .failed(reason: "f")] {
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
        #expect(gate.set(.stopping) == .ready)
        #expect(gate.set(.ready) == nil)
        #expect(gate.set(.failed(reason: "late")) == nil)
        #expect(gate.state == .stopping)
        #expect(gate.set(.stopped) == .stopping)
        #expect(gate.set(.stopping) == nil)
        #expect(gate.refusal(isWrite: false)?.code == "stopping")
    }

    @Test func `while it stops it does what it did before, and says that nothing should be sent`() {
        let states: [(ServiceGate.State, read: String?, write: String?)] = [
            (.starting, "stopping", "stopping"), (.replaying, "stopping", "stopping"), (.ready, nil, nil),
        ]
        for (state, read, write) in states {
            let gate = ServiceGate(service: "test")
            gate.set(state)
            gate.set(.stopping)
            #expect(gate.refusal(isWrite: false)?.code == read && gate.refusal(isWrite: true)?.code == write)
            #expect(!gate.readiness().isReady && gate.described.serving == "none")
        }
        let gate = ServiceGate(service: "test")
        gate.set(.ready)
        _ = gate.setReadOnly(true, reason: nil)
        gate.set(.stopping)
        #expect(gate.refusal(isWrite: false) == nil && gate.refusal(isWrite: true)?.code == "read_only")
    }

    @Test func `the document names state, reason, checks and the progress of a replay`() {
        let gate = ServiceGate(service: "test")
        gate.add(ServiceGate.Check(name: "log_writable") { "no \"space\"" })
        gate.add(ServiceGate.Check(name: "upstream") { nil })
        gate.reportProgress { document in
            document.member("replay", object: { $0.member("bytes_read", 25) })
        }
        gate.set(.replaying)
        let replaying = String(decoding: gate.readiness().document, as: UTF8.self)
        #expect(
            replaying.hasPrefix(
                #"{"status":"unavailable","service":"test","state":"replaying","serving":"none","time":""#))
        let checks = replaying.replacing(/"since":"[-0-9T:.]{23}Z",/, with: "")
        #expect(
            checks.hasSuffix(
                #""checks":[{"name":"log_writable","status":"failing","message":"no \"space\""},"#
                    + #"{"name":"upstream","status":"ok","message":null}],"#
                    + #""replay":{"bytes_read":25}}"# + "\n"
            )
        )
        #expect(checks.utf8.count + 2 * #""since":"2026-01-01T00:00:00.000Z","#.utf8.count == replaying.utf8.count)
        gate.set(.failed(reason: "disk full"))
        let failed = String(decoding: gate.readiness().document, as: UTF8.self)
        #expect(
            failed.hasPrefix(
                #"{"status":"unavailable","service":"test","state":"failed","serving":"none","#
                    + #""reason":"disk full","time":""#))
        #expect(!failed.contains("replay"))
        gate.set(.ready)
        gate.set(.failed(reason: "disk full"))
        #expect(String(decoding: gate.readiness().document, as: UTF8.self).contains(#""serving":"reads""#))
    }
}
