import Synchronization

/// The requests that one circuit breaker controls.
///
/// Reads and writes fail separately: while the disk stalls, writes time out and reads are answered from memory.
enum UpstreamCircuit: Int, CaseIterable, Sendable {
    case reads, writes

    init?(of operation: UpstreamOperation) {
        switch operation {
        case .get, .keys, .mget: self = .reads
        case .set, .delete, .txn, .incr: self = .writes
        case .probe: return nil
        }
    }

    var label: String {
        switch self {
        case .reads: "reads"
        case .writes: "writes"
        }
    }
}

/// The circuit breakers of all event loops together. Any thread.
///
/// A failed request counts for its own circuit. A connection that cannot be opened and a probe that fails mean that
/// kv-service is unreachable: they count for both circuits, and any answer closes a circuit that they opened. A circuit
/// that its own requests opened is closed only by an answer to one of them; the circuit for reads also by a probe,
/// which kv-service answers like a read.
final class UpstreamCircuits: Sendable {
    /// The state of a circuit, for documents and metrics.
    struct Status: Equatable, Sendable {
        var state: CircuitBreaker.State
        /// Monotonic nanoseconds; nil while it is closed.
        var openedAtNanoseconds: UInt64?
        /// The last failure that counted for it; nil while it is closed.
        var failure: UpstreamFailure?
    }

    private struct Circuit {
        var machine: CircuitBreaker
        var openedAtNanoseconds: UInt64?
        /// Whether one of the consecutive failures means that kv-service is unreachable.
        var isUnreachable = false
        var failure: UpstreamFailure?
    }

    private let circuits: Mutex<[Circuit]>
    /// Whether all of ``circuits`` are in their initial state, so that no lock is needed: nearly always.
    private let areAtRest = Atomic<Bool>(true)

    init(limits: CircuitBreaker.Limits) {
        self.circuits = Mutex(UpstreamCircuit.allCases.map { _ in Circuit(machine: CircuitBreaker(limits: limits)) })
    }

    func status(_ circuit: UpstreamCircuit) -> Status {
        let circuit = self.circuits.withLock { $0[circuit.rawValue] }
        return Status(
            state: circuit.machine.state, openedAtNanoseconds: circuit.openedAtNanoseconds,
            failure: circuit.machine.state == .closed ? nil : circuit.failure)
    }

    /// Nanoseconds until a retry, and the last failure; nil if the request may be sent. Probes always may.
    func refusal(
        of operation: UpstreamOperation, now: UInt64
    ) -> (nanoseconds: UInt64, failure: UpstreamFailure?)? {
        guard !self.areAtRest.load(ordering: .relaxed), let circuit = UpstreamCircuit(of: operation) else { return nil }
        return self.circuits.withLock { circuits in
            circuits[circuit.rawValue].machine.refusal(now: now).map { ($0, circuits[circuit.rawValue].failure) }
        }
    }

    /// kv-service answered.
    ///
    /// - Returns: the circuits that this closed, and since when they had been open.
    func succeeded(_ operation: UpstreamOperation) -> [(circuit: UpstreamCircuit, openedAtNanoseconds: UInt64)] {
        guard !self.areAtRest.load(ordering: .relaxed) else { return [] }
        let own = UpstreamCircuit(of: operation) ?? .reads
        return self.circuits.withLock { circuits in
            var closed: [(UpstreamCircuit, UInt64)] = []
            for circuit in UpstreamCircuit.allCases {
                guard circuit == own || circuits[circuit.rawValue].isUnreachable else { continue }
                if let openedAt = circuits[circuit.rawValue].openedAtNanoseconds { closed.append((circuit, openedAt)) }
                circuits[circuit.rawValue].machine.succeeded()
                circuits[circuit.rawValue].openedAtNanoseconds = nil
                circuits[circuit.rawValue].isUnreachable = false
                circuits[circuit.rawValue].failure = nil
            }
            self.areAtRest.store(circuits.allSatisfy { $0.machine.consecutiveFailures == 0 }, ordering: .relaxed)
            return closed
        }
    }

    /// A request or a probe failed.
    ///
    /// - Parameters:
    ///   - now: monotonic nanoseconds.
    /// - Returns: the circuits that this opened.
    func failed(
        _ failure: UpstreamFailure, of operation: UpstreamOperation, now: UInt64
    ) -> [UpstreamCircuit] {
        let own = UpstreamCircuit(of: operation)
        let isUnreachable = own == nil || failure.isOfConnecting
        return self.circuits.withLock { circuits in
            self.areAtRest.store(false, ordering: .relaxed)
            var opened: [UpstreamCircuit] = []
            for circuit in UpstreamCircuit.allCases where isUnreachable || circuit == own {
                let index = circuit.rawValue
                if isUnreachable { circuits[index].isUnreachable = true }
                circuits[index].failure = failure
                circuits[index].machine.failed(
                    now: now, jitter: Double.random(in: 0...1), upstreamAnswers: !circuits[index].isUnreachable)
                guard circuits[index].machine.state != .closed, circuits[index].openedAtNanoseconds == nil else {
                    continue
                }
                circuits[index].openedAtNanoseconds = now
                opened.append(circuit)
            }
            return opened
        }
    }
}

extension UpstreamFailure {
    /// Whether the connection to kv-service failed, not the request.
    fileprivate var isOfConnecting: Bool {
        if case .connect = self { true } else { false }
    }
}
