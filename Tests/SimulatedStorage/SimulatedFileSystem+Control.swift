import Dispatch
import Synchronization

/// What a test does to the file system, and what it can ask about it.
extension SimulatedFileSystem {
    // MARK: - Files

    /// The paths of all files, sorted.
    package var files: [String] { self.state.withLock { $0.disk.files } }

    /// A file's bytes as a process reads them.
    package func contents(_ path: String) -> [UInt8]? {
        self.state.withLock { $0.disk.contents(SimulatedDisk.normalized(path)) }
    }

    /// Puts a durable file there, with its folders, without a call.
    package func install(_ path: String, _ bytes: [UInt8]) {
        self.state.withLock { $0.disk.install(SimulatedDisk.normalized(path), bytes) }
    }

    /// Takes a file away for good, without a call.
    package func delete(_ path: String) { self.state.withLock { $0.disk.delete(SimulatedDisk.normalized(path)) } }

    /// Room for all files; a write that needs more fails with `ENOSPC` or stops short.
    package func setCapacity(bytes: Int) { self.state.withLock { $0.capacityBytes = bytes } }

    /// Limits the files and folders that there can be.
    package func setCapacity(inodes: Int?) { self.state.withLock { $0.capacityInodes = inodes } }

    /// Makes each write need free space, wherever it goes.
    package func setCopiesOnWrite(_ copies: Bool) { self.state.withLock { $0.copiesOnWrite = copies } }

    // MARK: - Faults

    /// Makes calls fail.
    /// - Parameters:
    ///   - path: a part of the path; empty for any.
    ///   - skipping: so many matching calls succeed before.
    ///   - times: so many then fail; nil for all from then on.
    package func inject(
        _ effect: FaultEffect, on kind: SimulatedCall.Kind, path: String = "", skipping: Int = 0, times: Int? = 1
    ) {
        self.state.withLock {
            $0.faults.append(
                InjectedFault(effect: effect, kind: kind, path: path, skipping: skipping, times: times))
        }
    }

    package func clearFaults() { self.state.withLock { $0.faults = [] } }

    /// The process ends at this call, counted from 1 over the life of this file system: it and all later ones have no
    /// effect and fail. ``crash(seed:)`` and ``kill()`` then say what is left.
    package func die(atCall number: Int) { self.state.withLock { $0.diesAtCall = number } }

    package var isDead: Bool { self.state.withLock { $0.isDead } }

    // MARK: - Order

    /// Holds calls back until the gate lets them through.
    package func gate(on kind: SimulatedCall.Kind, path: String = "") -> CallGate {
        let gate = CallGate(kind: kind, path: path)
        self.state.withLock { $0.gates.append(gate) }
        return gate
    }

    /// Calls so far.
    package var callCount: Int { self.state.withLock { $0.callCount } }

    /// All calls so far and the marks between them.
    package var calls: [SimulatedCall] { self.state.withLock { $0.calls } }

    /// Puts a note between the calls.
    package func mark(_ text: String) { self.state.withLock { $0.record(.mark, text, 0, 0, 0) } }

    /// Waits until so many calls of a kind on a path have succeeded, or the process has died.
    /// - Returns: false when neither happened within 30 seconds.
    package func wait(for kind: SimulatedCall.Kind, path: String, count: Int) -> Bool {
        self.wait { calls in
            count <= calls.count { $0.kind == kind && $0.errorCode == 0 && $0.path.contains(path) }
        }
    }

    /// Waits until so many calls of a kind on a path have failed, or the process has died.
    /// - Returns: false when neither happened within 30 seconds.
    package func wait(forFailures count: Int, of kind: SimulatedCall.Kind, path: String) -> Bool {
        let path = SimulatedDisk.normalized(path)
        return self.wait { calls in
            count <= calls.count { $0.kind == kind && $0.errorCode != 0 && $0.path.contains(path) }
        }
    }

    /// Waits until so many segments have been prepared, the first one included, and their names are durable; or the
    /// process has died.
    /// - Returns: false when neither happened within 30 seconds.
    package func waitForPrepared(_ count: Int) -> Bool {
        self.wait { calls in
            var (named, durable) = (0, 0)
            for call in calls where call.errorCode == 0 {
                if call.kind == .rename && call.path.hasSuffix(".prepared") { named += 1 }
                if call.kind == .directorySync { durable = named }
            }
            return durable >= count
        }
    }

    private func wait(until isDone: ([SimulatedCall]) -> Bool) -> Bool {
        let watcher = DispatchSemaphore(value: 0)
        self.state.withLock { $0.watchers.append(watcher) }
        defer { self.state.withLock { $0.watchers.removeAll { $0 === watcher } } }
        while true {
            let done = self.state.withLock { $0.isDead || isDone($0.calls) }
            if done { return true }
            if watcher.wait(timeout: .now() + .seconds(30)) == .timedOut { return false }
        }
    }
}
