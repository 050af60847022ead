import Synchronization
import SystemSupport

/// Work that other threads request from the writer between two batches, because only the writer may change the
/// segments.
extension LogWriter.Loop {
    mutating func runTasks() {
        let tasks = self.writer.tasks.withLock { tasks -> [WriterTask] in
            defer { tasks = tasks.map { _ in [] } }
            return tasks ?? []
        }
        for task in tasks {
            if self.isPoisoned, task.isOfCompaction {
                task.fail(.notWriting)
                continue
            }
            let began = MonotonicClock.nanoseconds()
            self.run(task)
            if task.isOfCompaction {
                self.writer.observer?.compactionPaused(nanoseconds: MonotonicClock.nanoseconds() - began)
            }
        }
    }

    func endTasks() {
        let tasks = self.writer.tasks.withLock { tasks -> [WriterTask] in
            defer { tasks = nil }
            return tasks ?? []
        }
        for task in tasks { task.fail(.notWriting) }
    }

    private mutating func run(_ task: WriterTask) {
        switch task {
        case .capture(let reply): self.capture(reply)
        case .rotate(let count, let reply):
            let refusal = self.chain.isEmpty ? nil : self.rotate(leaving: count)
            switch refusal {
            case nil: reply.answer(.success(self.nextRevision - 1))
            case .outOfSpace(let error)?: reply.answer(.failure(.system(error)))
            default: reply.answer(.failure(.notWriting))
            }
        case .install(let part, let replaced, let reply):
            do {
                try self.chain.install(part, replacing: replaced)
                self.listFiles()
                reply.answer(.success(()))
            } catch {
                reply.answer(.failure(.system(error)))
            }
        case .keepReceipts(let revision, let position, let reply):
            switch self.writeReceipts(upTo: revision, from: position) {
            case .success(let next): reply.answer(.success(next))
            case .failure(.outOfSpace(let error)): reply.answer(.failure(.system(error)))
            case .failure: reply.answer(.failure(.notWriting))
            }
        case .dropSegments(let revision, let sequence, let replaced, let reply):
            do {
                let dropped = try self.chain.dropSegments(upTo: revision, before: sequence, replacing: replaced)
                self.listFiles()
                reply.answer(.success(dropped))
            } catch {
                reply.answer(.failure(.system(error)))
            }
        }
    }

    private mutating func capture(_ reply: WriterReply<LogCapture?>) {
        if self.writer.holds.isInUse { return reply.answer(.success(nil)) }
        if !self.isPoisoned, self.unsyncedSince != nil, self.writeAndSync(nil) != nil {
            // What is not synced cannot be taken back: the log has failed.
            return reply.answer(.failure(self.writer.statistics.failure.map(WriterTaskFailure.system) ?? .notWriting))
        }
        let lastRevision = self.writer.statistics.durableRevision.load(ordering: .relaxed)
        reply.answer(
            .success(
                LogCapture(
                    self.chain, durableLength: self.chain.durableLength, lastRevision: lastRevision,
                    holds: self.writer.holds)))
    }
}
