import SimulatedStorage
import TestSupport

@testable import LogFormat
@testable import TransactionLog

/// A run of commits, of one operation or several, with receipts or without, over several segments, whose system calls
/// come in the same order each time, so that the process can be ended at each of them in turn.
///
/// Two threads make calls, the writer and the one that prepares segments. A gate keeps the second one back until the
/// first has nothing to do.
struct CrashWorkload {
    let batches: [[Transaction]]
    let configuration: LogConfiguration

    init(seed: UInt64, syncMode: SyncMode = .always) {
        var generator = SeededGenerator(seed: seed)
        var number = 0
        self.configuration = testConfiguration(segmentBytes: 8192, syncMode: syncMode)
        self.batches = (0..<12).map { _ in
            // A batch moves on to the next segment once at most, as one file must stay prepared behind it.
            let isLarge = generator.chance(0.15)
            return (0..<(isLarge ? 1 : Int.random(in: 1...3, using: &generator))).map { _ in
                number += 1
                let bytes = Int.random(in: isLarge ? 5000...6000 : 0...600, using: &generator)
                var transaction = numbered(number, valueBytes: bytes)
                if generator.chance(0.3) {
                    let session = Array("session \(number)".utf8)
                    transaction += [.setExpiring(session, Array("1".utf8), UInt64(number)), .delete("key \(number)")]
                }
                return generator.chance(0.6) ? transaction.withReceipt(number) : transaction
            }
        }
    }

    var transactions: [Transaction] { self.batches.flatMap { $0 } }

    struct Run {
        let fileSystem: SimulatedFileSystem
        var acknowledged = 0
    }

    /// Opens, commits and closes; or dies at the call with this number.
    func run(dyingAtCall call: Int? = nil) -> Run {
        var run = Run(fileSystem: SimulatedFileSystem())
        let fileSystem = run.fileSystem
        if let call { fileSystem.die(atCall: call) }
        // Each preparation begins with this call; the first one is made by the opening itself.
        let gate = fileSystem.gate(on: .capacity)
        gate.admit()
        let open: OpenLog
        do { open = try OpenLog(fileSystem, self.configuration) } catch { return run }
        defer { open.log.close() }
        var prepared = 1
        func prepareNext() {
            prepared += 1
            gate.admit()
            _ = fileSystem.waitForPrepared(prepared)
        }
        // The header of the first segment, and the first heartbeat.
        _ = fileSystem.wait(for: .fdatasync, path: ".log", count: 2)
        for _ in 0..<2 { prepareNext() }
        for batch in self.batches {
            for ticket in open.submit(batch) {
                if case .committed? = ticket.wait() { run.acknowledged += 1 }
            }
            if fileSystem.isDead { break }
            if open.log.statistics.segments.count == prepared - 1 { prepareNext() }
        }
        return run
    }
}
