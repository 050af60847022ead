import NIOHTTP1
import Synchronization
import Testing

@testable import HTTP1
@testable import HTTPServing
@testable import Health

@Suite(.timeLimit(.minutes(1)))
struct ServiceGateSwitchTests {
    private static func readyGate() -> ServiceGate {
        let gate = ServiceGate(service: "test")
        gate.set(.ready)
        return gate
    }

    private static func document(_ gate: ServiceGate) -> String {
        String(decoding: gate.readiness().document, as: UTF8.self)
    }

    @Test func `read-only refuses writes, takes reads and stays ready, saying why`() {
        let gate = Self.readyGate()
        #expect(gate.refusal(isWrite: true) == nil)
        #expect(gate.setReadOnly(true, reason: "a \"move\""))
        #expect(gate.refusal(isWrite: false) == nil)
        #expect(gate.refusal(isWrite: true)?.code == "read_only")
        #expect(gate.refusal(isWrite: true)?.status == .serviceUnavailable)
        #expect(gate.refusal(isWrite: true)?.detail.contains("a \"move\"") == true)
        #expect(gate.isReady && gate.readiness().isReady && gate.refusesWritesOnly)
        #expect(
            Self.document(gate).hasPrefix(
                #"{"status":"ok","service":"test","state":"read_only","serving":"reads","#
                    + #""reason":"made read-only by an operator; writes are refused: a \"move\"","#))
        #expect(!gate.setReadOnly(true, reason: "a \"move\""), "nothing has changed")
        #expect(gate.setReadOnly(false, reason: nil))
        #expect(gate.refusal(isWrite: true) == nil && !gate.refusesWritesOnly)
        #expect(!gate.setReadOnly(false, reason: nil))
    }

    @Test func `a drain by an operator says not ready, serves everything, and can be taken back`() {
        let gate = Self.readyGate()
        #expect(gate.setDrain(true, reason: nil))
        #expect(!gate.isReady)
        #expect(gate.refusal(isWrite: true) == nil && gate.refusal(isWrite: false) == nil)
        #expect(
            Self.document(gate).hasPrefix(
                #"{"status":"unavailable","service":"test","state":"draining","serving":"all","#
                    + #""reason":"drained by an operator; requests are still served","#))
        #expect(gate.setDrain(false, reason: nil) && gate.isReady)
    }

    @Test func `what is so already is no change, and keeps its words unless there are new ones`() {
        let gate = Self.readyGate()
        #expect(!gate.setReadOnly(false, reason: nil))
        #expect(gate.setReadOnly(true, reason: "a"))
        let since = gate.readOnly?.sinceNanoseconds
        #expect(!gate.setReadOnly(true, reason: "a") && !gate.setReadOnly(true, reason: nil))
        #expect(gate.readOnly?.reason == "a")
        #expect(gate.setReadOnly(true, reason: "b"))
        #expect(gate.readOnly?.reason == "b" && gate.readOnly?.sinceNanoseconds == since)
        #expect(gate.setReadOnly(false, reason: "c") && !gate.setReadOnly(false, reason: "d"))
    }

    @Test func `a warning is told, and takes nothing away`() throws {
        let gate = Self.readyGate()
        gate.add(.init(name: "disk_space", severity: .warning) { "no space" })
        #expect(gate.isReady && gate.readiness().isReady)
        let text = Self.document(gate)
        #expect(text.hasPrefix(#"{"status":"ok","service":"test","state":"ready","serving":"all","time":""#))
        #expect(text.contains(#"{"name":"disk_space","status":"warning","since":""#))
        #expect(text.hasSuffix(#"Z","message":"no space"}]}"# + "\n"))
    }

    @Test func `a switch never opens what a state has closed`() {
        for state in [ServiceGate.State.starting, .replaying, .stopping, .stopped] {
            let gate = ServiceGate(service: "test")
            gate.set(state)
            _ = gate.setReadOnly(true, reason: nil)
            #expect(gate.refusal(isWrite: false) != nil && gate.refusal(isWrite: true)?.code != "read_only")
            _ = gate.setReadOnly(false, reason: nil)
            #expect(gate.refusal(isWrite: false) != nil && gate.refusal(isWrite: true) != nil)
        }
    }

    @Test func `changes of readiness are told once, with the reason`() {
        let gate = ServiceGate(service: "test")
        let told = Mutex<[String]>([])
        let failing = Atomic(false)
        gate.onReadinessChange { reason in told.withLock { $0.append(reason ?? "ready") } }
        gate.look()
        #expect(told.withLock { $0 } == [], "that a start is not ready is no news")
        gate.set(.ready)
        gate.add(.init(name: "log_writable") { failing.load(ordering: .relaxed) ? "no space" : nil })
        for _ in 1...2 { gate.look() }
        failing.store(true, ordering: .relaxed)
        for _ in 1...2 { gate.look() }
        failing.store(false, ordering: .relaxed)
        gate.look()
        gate.set(.failed(reason: "gone"))
        #expect(told.withLock { $0 } == ["ready", "log_writable: no space", "ready", "gone"])
    }

    @Test func `a check says since when it is as it is`() throws {
        let gate = Self.readyGate()
        let failing = Atomic(false)
        gate.add(.init(name: "fine") { failing.load(ordering: .relaxed) ? "no" : nil })
        func since() -> Substring? { Self.document(gate).firstMatch(of: /"since":"([^"]+)"/)?.output.1 }
        let first = since()
        #expect(first != nil && since() == first)
        failing.store(true, ordering: .relaxed)
        #expect(try #require(since()) >= #require(first))
    }
}
