import Glibc
import SimulatedStorage
import SystemSupport
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Recovery: files are verified ahead of the replay", .timeLimit(.minutes(1)))
struct EarlyVerificationTests {
    /// A snapshot of several parts, six sealed segments after it and an active one.
    private static func log() throws -> (fileSystem: SimulatedFileSystem, manifest: Manifest) {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, CompactionTests.configuration(), observer: observer, keepsHistory: false)
        for number in 0..<60 { open.commit(numbered(number, valueBytes: 300)) }
        #expect(try CompactionTests.compact(open, observer).error == nil)
        for number in 60..<160 { open.commit(numbered(number, valueBytes: 300)) }
        open.log.close()
        let manifest = try Manifest(decoding: fileSystem.contents("\(storeDirectory)/MANIFEST")!)
        #expect(manifest.parts.count > 2 && manifest.sealed.count > 5)
        return (fileSystem, manifest)
    }

    private static func verification(_ fileSystem: SimulatedFileSystem, _ manifest: Manifest) -> EarlyVerification {
        .init(manifest, LogReader(fileSystem: fileSystem, paths: LogPaths(directory: storeDirectory)))
    }

    /// The result for a replay at its second file.
    private static func finding(_ fileSystem: SimulatedFileSystem, _ manifest: Manifest, threads: Int) -> LogError? {
        let verification = Self.verification(fileSystem, manifest)
        verification.start(threads: threads)
        defer { verification.stop() }
        do { try verification.enter(0) } catch { return error }
        // A thread has taken the second file; the replay continues to it and no further.
        if !fileSystem.wait(for: .read, path: manifest.partsInOrder[1].name.description, count: 1) { return nil }
        var found: LogError?
        _ = Poll.holds {
            do throws(LogError) { try verification.enter(1) } catch { found = error }
            return found != nil
        }
        return found
    }

    private static func flip(_ fileSystem: SimulatedFileSystem, _ name: String, at part: Double) {
        let path = "\(storeDirectory)/\(name)"
        let bytes = fileSystem.contents(path)!
        let used = bytes.lastIndex { $0 != 0 }! + 1
        let offset = SegmentHeader.byteCount + Int(Double(used - SegmentHeader.byteCount - 1) * part)
        fileSystem.patch(path, at: offset, [bytes[offset] ^ 0x10])
    }

    @Test(arguments: [1, 4])
    func `damage anywhere is found before the replay comes to it, and told as the replay tells it`(
        threads: Int
    ) throws {
        let (whole, manifest) = try Self.log()
        let names = manifest.partsInOrder.dropFirst(2).map(\.name.description) + manifest.sealed.map(\.name.description)
        for name in names {
            for part in [0, 0.5, 1] {
                let fileSystem = whole.kill()
                Self.flip(fileSystem, name, at: part)
                let found = try #require(Self.finding(fileSystem, manifest, threads: threads), "\(name) \(part)")
                guard case .corrupt(let early) = found else {
                    Issue.record("\(name) \(part): \(found)")
                    continue
                }
                #expect(early.file == name)
                var inOrder: Corruption?
                do { _ = try RecoveredState(fileSystem.kill(), CompactionTests.configuration()) } catch {
                    if case .corrupt(let corruption) = error { inOrder = corruption }
                }
                #expect(early == inOrder, "\(name) \(part)")
            }
        }
    }

    @Test func `of two damages the first in the order of the log is told`() throws {
        let (fileSystem, manifest) = try Self.log()
        // Reading the second file takes longest, because its reads are held back until the later one has been read.
        let (first, second) = (manifest.sealed[1].name.description, manifest.sealed[4].name.description)
        Self.flip(fileSystem, first, at: 1)
        Self.flip(fileSystem, second, at: 0)
        let gate = fileSystem.gate(on: .read, path: first)
        let verification = Self.verification(fileSystem, manifest)
        verification.start(threads: 2)
        defer {
            gate.open()
            verification.stop()
        }
        #expect(gate.waitForArrival())
        #expect(fileSystem.wait(for: .read, path: manifest.sealed[5].name.description, count: 1))
        // The later damage is known by now; the earlier is not.
        try verification.enter(0)
        try verification.enter(1)
        gate.open()
        var told: LogError?
        let end = MonotonicClock.nanoseconds() + 30_000_000_000
        while told == nil, MonotonicClock.nanoseconds() < end {
            do { try verification.enter(1) } catch { told = error }
        }
        guard case .corrupt(let corruption)? = told else {
            Issue.record("\(told.map { "\($0)" } ?? "nothing was told")")
            return
        }
        #expect(corruption.file == first)
    }

    @Test func `a start ends at damage before it has replayed what is in front of it`() throws {
        let (fileSystem, manifest) = try Self.log()
        let damaged = manifest.sealed.last!.name.description
        Self.flip(fileSystem, damaged, at: 0.5)
        var configuration = CompactionTests.configuration()
        configuration.verifyingThreads = 2
        var applied = 0
        var recovery = Recovery(
            fileSystem: fileSystem, configuration: configuration, progress: { _ in },
            apply: { _, _ in
                applied += 1
                // A thread has its name only after it has started, and the thread that reads this file is running.
                if applied == 1 {
                    #expect(fileSystem.wait(for: .read, path: damaged, count: 1) && Self.waitForThreads())
                }
                return nil
            })
        #expect(throws: LogError.self) { _ = try recovery.run() }
        #expect(applied < 100, "\(applied) of 160 records were replayed")
    }

    /// Waits until the verifying threads have ended because there is nothing left to read.
    private static func waitForThreads() -> Bool {
        Poll.holds {
            let tasks = (try? PosixFileSystem().list("/proc/self/task")) ?? []
            return !tasks.contains { Self.name(ofTask: $0) == "kv-verify\n" }
        }
    }

    private static func name(ofTask task: String) -> String {
        var bytes: [UInt8] = []
        guard let file = try? PosixFileSystem().open("/proc/self/task/\(task)/comm", .read) else { return "" }
        defer { file.close() }
        // The file says that it is empty.
        _ = try? file.read(16, at: 0, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `what is whole is found whole, and a call that fails is left to the replay`() throws {
        let (fileSystem, manifest) = try Self.log()
        fileSystem.inject(.error(EIO), on: .read, path: manifest.sealed[2].name.description, times: nil)
        let verification = Self.verification(fileSystem, manifest)
        verification.start(threads: 3)
        #expect(fileSystem.wait(for: .read, path: manifest.sealed.last!.name.description, count: 2))
        verification.stop()
        for index in 0...manifest.parts.count + manifest.sealed.count + 1 { try verification.enter(index) }
        fileSystem.clearFaults()
        var configuration = CompactionTests.configuration()
        configuration.verifyingThreads = 3
        #expect(try RecoveredState(fileSystem, configuration).records.count == 160)
    }
}
