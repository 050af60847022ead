import Glibc
import SimulatedStorage
import Testing

@testable import LogFormat
@testable import TransactionLog

/// Commits with moves to further segments and compactions, while the n-th call of a kind fails: only that call, or it
/// and all later ones of the kind.
@Suite("Compaction: every call fails in turn", .timeLimit(.minutes(5)))
struct FaultSweepTests {
    struct Fault: Sendable, CustomStringConvertible {
        let kind: SimulatedCall.Kind
        let effect: FaultEffect
        /// A compaction that finds no space to copy receipts drops them: a restart does not have them any more.
        var mayCostReceipts: Bool {
            if case .shortWrite = self.effect { return true }
            return self.effect == .error(ENOSPC)
        }
        var description: String { "\(self.kind) \(self.effect)" }
    }

    static let faults: [Fault] = {
        let codes: [SimulatedCall.Kind: [Int32]] = [
            .open: [EIO, ENOSPC, EINTR, EMFILE], .directorySync: [EIO, ENOSPC, EINTR, EMFILE],
            .lock: [EIO, EMFILE], .list: [EIO, EMFILE], .capacity: [EIO, EINTR], .size: [EIO], .read: [EIO, EINTR],
            .forgetCache: [EIO], .createDirectory: [EIO, ENOSPC],
        ]
        let kinds: [SimulatedCall.Kind] = [
            .createDirectory, .lock, .list, .open, .size, .read, .write, .fdatasync, .fsync, .rename, .remove,
            .directorySync, .forgetCache, .capacity,
        ]
        return kinds.flatMap { kind in
            (codes[kind] ?? [EIO, ENOSPC, EINTR]).map { Fault(kind: kind, effect: .error($0)) }
        } + [0, 30, 600].map { Fault(kind: .write, effect: .shortWrite($0)) }
    }()

    /// Maximum runs of a fault, spread over the calls of its kind.
    private static let runs = 9

    @Test(arguments: faults) func `nothing acknowledged is lost, and the next compaction succeeds`(fault: Fault) throws
    {
        let workload = CompactionCrashTests.Workload(seed: 11)
        let whole = SimulatedFileSystem()
        _ = workload.run(on: whole)
        let calls = whole.calls.count { $0.kind == fault.kind }
        var tally = Tally()
        for times in [1, nil] as [Int?] {
            for skipping in stride(from: 0, to: calls, by: max(1, calls / Self.runs)) {
                let place = Comment("\(fault), after \(skipping), \(times == nil ? "from then on" : "once")")
                let fileSystem = SimulatedFileSystem()
                fileSystem.inject(fault.effect, on: fault.kind, skipping: skipping, times: times)
                try Self.run(workload, fileSystem, fault, &tally, place)
            }
        }
        print("\(fault): \(calls) calls, \(tally)")
        // File descriptors become available again, so their lack ends no log. The sync of a folder needs none.
        if fault.kind == .open, fault.effect == .error(EMFILE) { #expect(tally.ended == 0 && tally.wentOn > 0) }
    }

    private struct Tally: CustomStringConvertible {
        var refusedStarts = 0
        var ended = 0
        var wentOn = 0
        var failedCompactions = 0
        var description: String {
            "\(self.refusedStarts) starts refused, \(self.ended) logs ended, \(self.wentOn) went on, "
                + "\(self.failedCompactions) compactions failed"
        }
    }

    private static func run(
        _ workload: CompactionCrashTests.Workload, _ fileSystem: SimulatedFileSystem, _ fault: Fault,
        _ tally: inout Tally, _ place: Comment
    ) throws {
        let observer = RecordingObserver()
        let open: OpenLog
        do {
            open = try OpenLog(fileSystem, workload.configuration, observer: observer, keepsHistory: false)
        } catch {
            // A failing start reports the call, and leaves the state with which the next one begins.
            guard case .system = error else {
                Issue.record("\(place): \(error)")
                return
            }
            tally.refusedStarts += 1
            #expect(try RecoveredState(fileSystem.kill(), workload.configuration).records.isEmpty, place)
            return
        }
        var certain = DictionaryClient.Contents()
        /// Including the transaction of which it is unknown whether it was written.
        var possible: DictionaryClient.Contents?
        var lastRevision: UInt64 = 0
        for (number, transaction) in workload.transactions.enumerated() {
            if number % 12 == 5, open.log.compact() != nil {
                guard let outcome = observer.waitForCompaction() else {
                    Issue.record("\(place): a compaction hangs")
                    return
                }
                if outcome.error != nil {
                    tally.failedCompactions += 1
                    #expect(open.log.compaction.consecutiveFailures > 0, place)
                    // What it leaves on the disk is everything that exists, before anything else is done.
                    if possible == nil {
                        for crashed in [fileSystem.kill(), fileSystem.crash(seed: UInt64(number))] {
                            let recovered = try RecoveredState(crashed, workload.configuration)
                            let isExpected = certain.equals(recovered.contents, mayLack: fault.mayCostReceipts)
                            #expect(isExpected, place)
                        }
                    }
                }
            }
            switch open.commit(transaction) {
            case .committed(let revision)?:
                #expect(possible == nil, "\(place.rawValue): a commit after the end of the log")
                if revision > 0 {
                    #expect(revision == lastRevision + 1, place)
                    lastRevision = revision
                    certain.apply(transaction, revision)
                }
            case .refused(.failed(_, let written))?:
                if written {
                    #expect(possible == nil, place)
                    possible = certain
                    possible!.apply(transaction, lastRevision + 1)
                }
            case .refused(.outOfSpace)?: break
            case let other: Issue.record("\(place): \(other.map { "\($0)" } ?? "a commit hangs")")
            }
        }
        #expect(open.client.contents == certain, place)
        fileSystem.clearFaults()
        if open.log.statistics.failure == nil {
            tally.wentOn += 1
            #expect(open.waitForSpace(), place)
            #expect(try CompactionTests.compact(open, observer).error == nil, place)
            #expect(open.commit([.set("one more", "a")]) == .committed(lastRevision + 1), place)
            certain.apply(.set("one more", "a"), lastRevision + 1)
            #expect(try CompactionTests.compact(open, observer).error == nil, place)
            CompactionTests.checkLive(open)
        } else {
            tally.ended += 1
        }
        // A log that went on has copied what the client still knew.
        let mayLack = fault.mayCostReceipts && open.log.statistics.failure != nil
        func isExpected(_ found: DictionaryClient.Contents) -> Bool {
            certain.equals(found, mayLack: mayLack) || possible?.equals(found, mayLack: mayLack) == true
        }
        for seed in 0..<3 as Range<UInt64> {
            let crashed = seed == 0 ? fileSystem.kill() : fileSystem.crash(seed: seed)
            try Self.check(crashed, workload, isExpected, place)
        }
        open.log.close()
        try Self.check(fileSystem.crash(seed: 3), workload, isExpected, place)
    }

    /// A call that fails once after something was released or renamed.
    enum Leftover: CaseIterable {
        case segmentNotRemoved, partNameNotDurable

        /// In the path of the file that is left.
        var path: String {
            switch self {
            case .segmentNotRemoved: "0000000000000001.log"
            case .partNameNotDurable: "-00000001.snapshot"
            }
        }
    }

    @Test(arguments: Leftover.allCases)
    func `what a failed compaction leaves behind is gone after the next one`(leftover: Leftover) throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, CompactionTests.configuration(), observer: observer, keepsHistory: false)
        for number in 0..<60 { open.commit(numbered(number, valueBytes: 300)) }
        let failed: CompactionStatus.Outcome?
        switch leftover {
        case .segmentNotRemoved:
            #expect(open.waitForPrepared())
            fileSystem.inject(.error(EIO), on: .remove, path: "1.log")
            failed = try CompactionTests.compact(open, observer)
        case .partNameNotDurable:
            let gate = fileSystem.gate(on: .rename, path: ".snapshot.tmp")
            let asked = open.log.compact()
            #expect(asked != nil && gate.waitForArrival() && open.waitForPrepared())
            fileSystem.inject(.error(EIO), on: .directorySync)
            gate.open()
            failed = observer.waitForCompaction()
        }
        #expect(failed?.error?.contains("errno 5") == true)
        for crashed in [fileSystem.kill(), fileSystem.crash(seed: 1)] {
            let recovered = try RecoveredState(crashed, CompactionTests.configuration())
            #expect(recovered.records == open.client.records)
        }
        #expect(try CompactionTests.compact(open, observer).error == nil)
        #expect(fileSystem.wait(for: .remove, path: leftover.path, count: 1))
        let manifest = try Manifest(decoding: fileSystem.contents("\(storeDirectory)/MANIFEST")!)
        let listed = manifest.parts.map(\.name.description) + manifest.sealed.map(\.name.description)
        let known = Set(listed + [manifest.active.description, "MANIFEST", "MANIFEST.tmp", "LOCK"])
        let files = fileSystem.files.filter { path in
            !known.contains(String(path.split(separator: "/").last!)) && !path.hasSuffix(".prepared")
        }
        // Only prepared files.
        #expect(files.filter { fileSystem.contents($0)!.contains { $0 != 0 } } == [])
        let again = try OpenLog(fileSystem.kill(), CompactionTests.configuration(), keepsHistory: false)
        #expect(again.client.records == open.client.records)
        again.log.close()
        open.log.close()
    }

    /// A start finds what is certain, accepts commits and compacts.
    private static func check(
        _ fileSystem: SimulatedFileSystem, _ workload: CompactionCrashTests.Workload,
        _ isExpected: (DictionaryClient.Contents) -> Bool, _ place: Comment
    ) throws {
        do {
            let observer = RecordingObserver()
            let open = try OpenLog(fileSystem, workload.configuration, observer: observer, keepsHistory: false)
            let (records, receipts) = (open.client.records, open.client.contents.receipts)
            #expect(isExpected(open.client.contents), place)
            #expect(open.waitForSpace(), place)
            open.commit([.set("after", "b")])
            #expect(try CompactionTests.compact(open, observer).error == nil, place)
            open.log.close()
            let again = try RecoveredState(fileSystem.crash(seed: 9), workload.configuration)
            #expect(again.records.count == records.count + 1, place)
            #expect(records.allSatisfy { again.records[$0.key] == $0.value }, place)
            #expect(again.contents.receipts == receipts, place)
            let names = fileSystem.files.filter { $0.hasSuffix(".snapshot.tmp") || $0.hasSuffix(".prepared") }
            #expect(names == [], place)
        } catch {
            Issue.record("\(place): \(error)")
        }
    }
}

extension DictionaryClient.Contents {
    /// - Parameter mayLack: whether `found` may lack receipts; it has no others.
    fileprivate func equals(_ found: Self, mayLack: Bool) -> Bool {
        if !mayLack { return self == found }
        return self.records == found.records && found.receipts.allSatisfy { self.receipts[$0.key] == $0.value }
    }
}
