import DurableFiles
import LogFormat
import Synchronization
import SystemSupport

extension LogWriter {
    /// The state of the writer thread.
    struct Loop {
        let writer: LogWriter
        var chain: SegmentChain
        var nextRevision: UInt64
        var frame = FrameBuilder()
        var batch: [Client.Command] = []
        private var gathering = BatchGathering()
        /// Since when there are written frames that no sync has covered; nil without such frames.
        var unsyncedSince: UInt64?
        /// Whether a heartbeat must be written when there are no more writes.
        var owesHeartbeat = false
        var isPoisoned = false
        /// Whether the last overwrite found no space, which happens on file systems that copy on write.
        private var missesSpace = false
        /// After a lack of space for it: monotonic nanoseconds.
        private var ownWorkNotBefore: UInt64 = 0
        /// Payload of a frame with the client's own work: small, because commands wait for it.
        private static var ownWorkBytes: Int { 256 << 10 }

        init(writer: LogWriter, chain: SegmentChain, nextRevision: UInt64) {
            self.writer = writer
            self.chain = chain
            self.chain.failPoint = writer.configuration.failPoint
            self.nextRevision = nextRevision
        }

        mutating func run() {
            // After a clean shutdown only this frame may be torn, because it contains nothing.
            self.writeControlFrame(.heartbeat)
            while true {
                self.batch.removeAll(keepingCapacity: true)
                let (writer, gathering) = (self.writer, self.gathering)
                let quietAt = self.deadline()
                let dueAt = self.isPoisoned ? .max : max(writer.client.ownWorkDue(), self.ownWorkNotBefore)
                let taken = writer.queue.take(into: &self.batch, until: min(quietAt, dueAt)) {
                    gathering.gather(
                        in: writer.queue,
                        commitNanoseconds: writer.statistics.commitNanoseconds.load(ordering: .relaxed))
                }
                self.noticeLoss()
                switch taken {
                case .commands: self.commitBatch()
                case .poked: self.runTasks()
                case .timedOut: if MonotonicClock.nanoseconds() >= quietAt { self.onQuiet() }
                case .closed:
                    self.endTasks()
                    self.writeControlFrame(.cleanShutdown)
                    self.recordCleanEnd()
                    self.chain.close()
                    return
                }
                if MonotonicClock.nanoseconds() >= dueAt { self.commitOwnWork() }
                self.syncIfDue()
            }
        }

        /// Monotonic nanoseconds until which the writer waits for commands.
        private func deadline() -> UInt64 {
            if self.isPoisoned { return .max }
            if case .interval(let milliseconds) = self.chain.syncMode, let since = self.unsyncedSince {
                return since + UInt64(milliseconds) * 1_000_000
            }
            if self.missesSpace {
                return MonotonicClock.nanoseconds() + UInt64(self.writer.configuration.prepareRetryMilliseconds)
                    * 1_000_000
            }
            if self.owesHeartbeat {
                return MonotonicClock.nanoseconds() + UInt64(self.writer.configuration.heartbeatMilliseconds)
                    * 1_000_000
            }
            return .max
        }

        // MARK: - A batch

        private mutating func commitBatch() {
            var next = 0
            while next < self.batch.count {
                if self.isPoisoned {
                    let error = self.writer.statistics.failure!
                    self.writer.client.refuse(self.batch[next...], .failed(error, written: false))
                    return
                }
                next = self.commitFrame(from: next)
            }
        }

        /// Commits as many commands as fit into one frame, and returns the start of the next frame.
        private mutating func commitFrame(from start: Int) -> Int {
            var timings = CommitTimings(takenAt: MonotonicClock.nanoseconds())
            let (whole, bytes) = self.writer.client.frameEnd(
                of: self.batch[start..<self.batch.count], limitBytes: self.writer.configuration.frameTargetBytes)
            let (commands, end) = self.admit(self.batch[start..<whole], payloadBytes: bytes)
            if commands.isEmpty { return end }
            self.frame.begin(firstRevision: self.nextRevision, segmentRevision: self.chain.name.firstRevision)
            self.writer.client.stage(commands, into: &self.frame)
            timings.commands = commands.count
            if !self.finishFrame(&timings) { return end }
            if end == self.batch.count {
                let (waiting, lastArrivalAt) = self.writer.queue.waiting
                self.gathering.expect(self.batch.count + waiting, waiting: waiting, lastArrivalAt: lastArrivalAt)
            }
            self.writer.client.commit(timings, lastRevision: self.nextRevision - 1)
            return end
        }

        /// Writes and publishes the staged frame, or has the client discard it.
        private mutating func finishFrame(_ timings: inout CommitTimings) -> Bool {
            timings.transactions = self.frame.transactionCount
            timings.operations = self.frame.operationCount
            if !self.frame.isEmpty, let refusal = self.write(&timings) ?? self.noticeLoss() {
                self.writer.client.rollBack(refusal)
                return false
            }
            if timings.transactions > 0 { self.publish(timings) }
            return true
        }

        /// Commits what the client has to do itself. Without space it is tried again later.
        private mutating func commitOwnWork() {
            if self.isPoisoned { return }
            var timings = CommitTimings(takenAt: MonotonicClock.nanoseconds())
            let limit = min(Self.ownWorkBytes, self.writer.configuration.frameTargetBytes)
            if self.fits(limit) || self.rotate(leaving: 1) == nil {
                self.frame.begin(firstRevision: self.nextRevision, segmentRevision: self.chain.name.firstRevision)
                self.writer.client.stageOwnWork(into: &self.frame, limitBytes: limit)
                if self.finishFrame(&timings) {
                    return self.writer.client.commit(timings, lastRevision: self.nextRevision - 1)
                }
            }
            self.ownWorkNotBefore =
                timings.takenAt + UInt64(self.writer.configuration.prepareRetryMilliseconds) * 1_000_000
        }

        /// Makes space for commands with this payload, in the active segment or in the next one. Refuses commands
        /// without space: commands that add data move only to a segment after which another one is prepared.
        /// - Returns: the accepted commands, and the start of those not examined yet.
        private mutating func admit(
            _ commands: ArraySlice<Client.Command>, payloadBytes: Int
        ) -> (ArraySlice<Client.Command>, end: Int) {
            let exhaustion = self.writer.preparer.exhaustion
            if exhaustion == nil, self.fits(payloadBytes) { return (commands, commands.endIndex) }
            let refusal = exhaustion.map(CommitRefusal.outOfSpace) ?? self.rotate(leaving: 1)
            guard let refusal else { return (commands, commands.endIndex) }
            guard case .outOfSpace = refusal else {
                self.writer.client.refuse(commands, refusal)
                return ([], commands.endIndex)
            }
            return self.admitWhatFits(commands, mayAdd: exhaustion == nil, refusal)
        }

        private func fits(_ payloadBytes: Int) -> Bool {
            self.chain.fits(payloadBytes: payloadBytes) || self.chain.isEmpty
        }

        /// - Parameter mayAdd: whether the active segment accepts commands that add data.
        private mutating func admitWhatFits(
            _ commands: ArraySlice<Client.Command>, mayAdd: Bool, _ refusal: CommitRefusal
        ) -> (ArraySlice<Client.Command>, end: Int) {
            let client = self.writer.client
            var (kept, refused): ([Client.Command], [Client.Command]) = ([], [])
            var (bytes, end) = (0, commands.startIndex)
            while end < commands.endIndex {
                let command = commands[end]
                let more = client.payloadBytes(of: command)
                if client.takesSpace(command) ? mayAdd && self.fits(bytes + more) : self.fits(bytes + more) {
                    kept.append(command)
                    bytes += more
                } else if client.takesSpace(command) {
                    refused.append(command)
                } else {
                    // The last prepared segment is for these commands, in their own frame.
                    if !kept.isEmpty { break }
                    guard case .outOfSpace? = self.rotate(leaving: 0) else { break }
                    refused.append(command)
                }
                end += 1
            }
            if !refused.isEmpty { client.refuse(refused[...], refusal) }
            return (kept[...], end)
        }

        /// Writes the staged frame to the disk, as the sync mode requires; nil on success.
        private mutating func write(_ timings: inout CommitTimings) -> CommitRefusal? {
            let offset = self.chain.offset
            let began = MonotonicClock.nanoseconds()
            let checksum: UInt32
            do { checksum = try self.chain.append(&self.frame, kind: .data) } catch {
                return self.endOrTakeBack(.write, error, from: offset)
            }
            let wrote = MonotonicClock.nanoseconds()
            timings.writeBeganAt = began
            timings.writeNanoseconds = wrote - began
            timings.frameBytes = Int(self.chain.offset - offset)
            if self.chain.syncMode == .always {
                do { try self.chain.sync() } catch {
                    return self.endOrTakeBack(.fsync, error, from: offset)
                }
                timings.syncNanoseconds = MonotonicClock.nanoseconds() - wrote
                self.noteSync(timings.syncNanoseconds)
            } else if self.unsyncedSince == nil {
                self.unsyncedSince = wrote
            }
            self.writer.watch.wrote(frameAt: offset, checksum: checksum)
            self.noteSpace(nil)
            return nil
        }

        /// A frame could not be written or synced. If that was for lack of space and the frame can be taken back,
        /// nothing of it is in the log, which continues as soon as there is space. Otherwise the log ends here.
        private mutating func endOrTakeBack(
            _ stage: LogFailureStage, _ error: SystemError, from offset: UInt64
        ) -> CommitRefusal {
            if !self.chain.takeBack(error, from: offset) { return self.poison(stage, error) }
            self.noteSpace(error)
            return .outOfSpace(error)
        }

        /// - Parameter error: why an overwrite found no space; nil after one that did.
        private mutating func noteSpace(_ error: SystemError?) {
            if error == nil && !self.missesSpace { return }
            self.missesSpace = error != nil
            self.writer.changeSpace(of: .writer, error)
        }

        private mutating func publish(_ timings: CommitTimings) {
            self.nextRevision = self.frame.nextRevision
            let statistics = self.writer.statistics
            let last = self.nextRevision - 1
            statistics.changeSpace { space in
                space.grow(toBytes: self.chain.offset, lastRevision: last, liveBytes: self.frame.liveBytes)
                for change in self.frame.earlierChanges { space.apply(change) }
            }
            if self.chain.syncMode == .always { statistics.durableRevision.store(last, ordering: .releasing) }
            statistics.appendedBytes.add(UInt64(timings.frameBytes), ordering: .relaxed)
            statistics.noteCommit(nanoseconds: timings.writeNanoseconds + timings.syncNanoseconds)
            self.owesHeartbeat = self.chain.syncMode == .always
            self.writer.observer?.committed(timings)
        }

        /// - Parameter count: minimum number of prepared segments after the next one.
        mutating func rotate(leaving count: Int) -> CommitRefusal? {
            if self.chain.owesManifest {
                do { try self.makeUpForManifest() } catch {
                    if !error.isOutOfSpace && !error.isOutOfDescriptors {
                        return self.poison(.rotate, error, written: false)
                    }
                    self.writer.observer?.failed(stage: .prepare, error)
                    return .outOfSpace(error)
                }
            }
            let prepared: PreparedSegment
            do { prepared = try self.writer.preparer.take(leaving: count) } catch {
                self.writer.observer?.failed(stage: .prepare, error)
                return .outOfSpace(error)
            }
            let began = MonotonicClock.nanoseconds()
            do {
                try self.chain.rotate(to: prepared, nextRevision: self.nextRevision)
                try self.writer.watch.follow(self.chain.file)
                self.unsyncedSince = nil
                self.noteSpace(nil)
                self.listFiles()
                self.writer.statistics.durableRevision.store(self.nextRevision - 1, ordering: .releasing)
                self.writer.observer?.rotated(nanoseconds: MonotonicClock.nanoseconds() - began)
                return nil
            } catch {
                if !error.isOutOfSpace || self.chain.isInDoubt { return self.poison(.rotate, error, written: false) }
                self.writer.preparer.giveBack(prepared)
                self.noteSpace(error)
                return .outOfSpace(error)
            }
        }

        /// Has the figures follow the manifest, after a change of that.
        func listFiles() {
            self.writer.statistics.changeSpace {
                $0.list(self.chain.manifest, activeBytes: self.chain.offset, lastRevision: self.nextRevision - 1)
            }
        }

        /// Writes the overdue manifest of the last move, on a full disk with the reserved space of compactions.
        private mutating func makeUpForManifest() throws(SystemError) {
            do { try self.chain.writeManifest() } catch {
                let reserve = self.writer.reserve
                if !error.isOutOfSpace || reserve.keptBytes == 0 { throw error }
                try reserve.lend()
                try self.chain.writeManifest()
            }
        }

        // MARK: - Between batches

        private mutating func onQuiet() {
            if self.missesSpace && !self.chain.fitsControlFrame {
                _ = self.rotate(leaving: 1)
            } else if (self.owesHeartbeat || self.missesSpace) && self.unsyncedSince == nil {
                self.writeControlFrame(.heartbeat)
            }
        }

        private mutating func syncIfDue() {
            guard !self.isPoisoned, case .interval(let milliseconds) = self.chain.syncMode,
                let since = self.unsyncedSince,
                MonotonicClock.nanoseconds() >= since + UInt64(milliseconds) * 1_000_000
            else { return }
            _ = self.writeAndSync(nil)
        }

        /// Writes one frame of receipts and syncs the segment. They need no space behind them: what follows is that a
        /// compaction removes more.
        /// - Returns: where to go on; nil at the end.
        mutating func writeReceipts(upTo revision: UInt64, from position: Int) -> Result<Int?, CommitRefusal> {
            let limit = min(Self.ownWorkBytes, self.writer.configuration.frameTargetBytes)
            if !self.fits(2 * limit), let refusal = self.rotate(leaving: 0) { return .failure(refusal) }
            self.frame.begin(firstRevision: self.nextRevision)
            let next = self.writer.client.writeReceipts(
                upTo: revision, from: position, into: &self.frame, limitBytes: limit)
            if self.frame.payloadBytes == 0 { return .success(next) }
            if let refusal = self.writeAndSync(.receipts) { return .failure(refusal) }
            return .success(next)
        }

        /// Writes a frame without transactions and syncs the segment. If the prepared space is used up, after
        /// many starts without a write, the frame is omitted, because there may be no space for a longer file.
        private mutating func writeControlFrame(_ kind: FrameHeader.Kind) {
            self.owesHeartbeat = false
            if self.isPoisoned { return }
            if self.chain.fitsControlFrame {
                self.frame.begin(firstRevision: self.nextRevision)
                _ = self.writeAndSync(kind)
            } else if self.unsyncedSince != nil {
                _ = self.writeAndSync(nil)
            }
        }

        /// Writes the frame, if there is one, and syncs the segment.
        mutating func writeAndSync(_ kind: FrameHeader.Kind?) -> CommitRefusal? {
            let offset = self.chain.offset
            if let kind {
                do { try self.chain.append(&self.frame, kind: kind) } catch {
                    return self.endOrTakeBack(.write, error, from: offset)
                }
            }
            let began = MonotonicClock.nanoseconds()
            do { try self.chain.sync() } catch {
                return self.endOrTakeBack(.fsync, error, from: offset)
            }
            self.unsyncedSince = nil
            self.noteSpace(nil)
            self.noteSync(MonotonicClock.nanoseconds() - began)
            self.writer.statistics.durableRevision.store(self.nextRevision - 1, ordering: .releasing)
            self.writer.statistics.changeSpace {
                $0.grow(toBytes: self.chain.offset, lastRevision: self.nextRevision - 1)
            }
            return nil
        }

        /// A log whose end cannot be recorded is complete nevertheless.
        private mutating func recordCleanEnd() {
            if self.isPoisoned { return }
            do { try self.chain.recordCleanEnd(lastRevision: self.nextRevision - 1) } catch {
                self.writer.observer?.failed(stage: .close, error)
            }
        }

        private func noteSync(_ nanoseconds: UInt64) {
            self.writer.statistics.lastSyncNanoseconds.store(MonotonicClock.nanoseconds(), ordering: .relaxed)
            self.writer.observer?.synced(nanoseconds: nanoseconds)
        }

        private mutating func poison(
            _ stage: LogFailureStage, _ error: SystemError, written: Bool = true
        ) -> CommitRefusal {
            self.isPoisoned = true
            self.writer.statistics.fail(error)
            self.writer.observer?.failed(stage: stage, error)
            return .failed(error, written: written)
        }
    }
}
