import Glibc
import SimulatedStorage
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// A start in which one call fails, or all of its kind from then on: whatever its result, the next start on an intact
/// disk recovers everything that was acknowledged.
@Suite("Start: every call fails in turn", .timeLimit(.minutes(1)))
struct StartFaultTests {
    private static let effects: [FaultEffect] = [EIO, ENOSPC, EDQUOT, EMFILE, ENOMEM].map { .error($0) }
    private static let writeEffects: [FaultEffect] = Self.effects + [.shortWrite(0), .shortWrite(20), .shortWrite(100)]

    /// The calls of a start and stop without a fault, by kind.
    private func calls(_ folder: StartFolder) throws -> [SimulatedCall.Kind: Int] {
        let (fileSystem, _) = try folder.make()
        let whole = fileSystem.kill()
        try OpenLog(whole, folder.configuration, keepsHistory: false).log.close()
        return whole.calls.reduce(into: [:]) { $0[$1.kind, default: 0] += 1 }
    }

    @Test(arguments: StartFolder.allCases)
    func `the next start brings back all that was acknowledged`(_ folder: StartFolder) throws {
        let (made, records) = try folder.make()
        var starts = (failed: 0, succeeded: 0)
        for (kind, count) in try self.calls(folder) {
            for skipping in 0..<count {
                for effect in kind == .write ? Self.writeEffects : Self.effects {
                    // What fails once may fail for any reason; of what fails from then on, two are enough.
                    for times in effect == .error(EIO) || effect == .error(ENOSPC) ? [1, nil] : [1] as [Int?] {
                        let place = Comment("\(kind) \(skipping), \(effect), \(times == nil ? "from then on" : "once")")
                        let fileSystem = made.kill()
                        fileSystem.inject(effect, on: kind, skipping: skipping, times: times)
                        do {
                            try OpenLog(fileSystem, folder.configuration, keepsHistory: false).log.close()
                            starts.succeeded += 1
                        } catch {
                            guard case .system = error else {
                                Issue.record("\(place): \(error)")
                                continue
                            }
                            starts.failed += 1
                        }
                        for left in [fileSystem.kill(), fileSystem.crash(seed: UInt64(skipping))] {
                            self.expect(records, left, folder, place)
                        }
                    }
                }
            }
        }
        print("\(folder): \(starts.failed) starts failed, \(starts.succeeded) did not")
        #expect(starts.failed > 0)
    }

    private func expect(
        _ records: [[UInt8]: [UInt8]], _ fileSystem: SimulatedFileSystem, _ folder: StartFolder, _ place: Comment
    ) {
        do {
            let state = try RecoveredState(fileSystem, folder.configuration)
            #expect(state.records.mapValues(\.value) == records, place)
        } catch {
            Issue.record("\(place): the next start is refused: \(error)")
        }
    }
}
