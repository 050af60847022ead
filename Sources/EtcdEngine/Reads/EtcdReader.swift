import EtcdAPI
import FoundationEssentials
import KeyValueStore
import SwiftProtobuf
import SystemSupport

/// Reads from etcd, linearizably: the reads of single keys that wait together go as one transaction.
final class EtcdReader: Sendable {
    /// How long a read is tried.
    private static let limit = Duration.seconds(5)
    /// What has waited for longer in the queue is not sent. Nanoseconds.
    private static let longestWait: UInt64 = 5_000_000_000
    /// How many transactions of single keys are under way at once.
    static let concurrency = 2
    /// The records that a request for a range asks for at most: values may be as large as etcd takes them.
    private static let longestPage = 256
    private static let pageWithValues = 32

    let queue = WaitingQueue<ReadRequest>(limitBytes: 64 << 20)
    private let cluster: EtcdCluster
    private let keyspace: EtcdKeyspace
    private let clock: StoreClock

    init(_ cluster: EtcdCluster, _ keyspace: EtcdKeyspace, clock: StoreClock) {
        self.cluster = cluster
        self.keyspace = keyspace
        self.clock = clock
    }

    /// Until the queue is closed and everything in it was answered.
    func run() async {
        await withDiscardingTaskGroup { group in
            for _ in 0..<Self.concurrency {
                group.addTask {
                    await withDiscardingTaskGroup { longer in
                        while let requests = await self.queue.next({ waiting in
                            let taken = waiting.prefix(WriteBatch.maximumPlaces)
                            return (taken.count, taken.reduce(0) { $0 + $1.bytes })
                        }) { await self.carryOut(requests, &longer) }
                    }
                }
            }
        }
    }

    private func carryOut(_ requests: [ReadRequest], _ longer: inout DiscardingTaskGroup) async {
        var single: [(key: [UInt8], request: ReadRequest)] = []
        // The machine may have started a moment ago.
        let now = MonotonicClock.nanoseconds()
        let oldest = now - min(now, Self.longestWait)
        for request in requests {
            guard request.submittedAt >= oldest else {
                request.mailbox.deliver([(request.ticket, request.refusal(.unavailable("too many reads wait for it")))])
                continue
            }
            switch request.content {
            case .key(let key): single.append((key, request))
            case .several(let keys):
                longer.addTask {
                    let result = await self.result { (deadline) throws(EtcdFailure) in
                        try await self.values(keys, until: deadline)
                    }
                    request.mailbox.deliver([(request.ticket, .several(result))])
                }
            case .scan(let scan):
                longer.addTask {
                    let result = await self.result { (deadline) throws(EtcdFailure) in
                        try await self.page(scan, until: deadline)
                    }
                    request.mailbox.deliver([(request.ticket, .scan(result))])
                }
            }
        }
        if single.isEmpty { return }
        let result = await self.result { (deadline) throws(EtcdFailure) in
            try await self.values(single.map(\.key), until: deadline)
        }
        AnswerMailbox.deliver(
            single.indices.map { place in
                let request = single[place].request
                return (request.mailbox, request.ticket, .read(result.map { $0.values[place] }))
            })
    }

    private func result<Value: Sendable>(
        _ read: (ContinuousClock.Instant) async throws(EtcdFailure) -> Value
    ) async -> Result<Value, StoreFailure> {
        let deadline = ContinuousClock.now + Self.limit
        while true {
            do throws(EtcdFailure) { return .success(try await read(deadline)) } catch {
                // The state that it began to read is gone: it begins again with a newer one.
                if case .refused(.compacted, _) = error, ContinuousClock.now < deadline { continue }
                return .failure(StoreFailure(error.beforeWriting))
            }
        }
    }

    // MARK: - Keys

    /// The values of keys, all from one state; nil for those that do not exist.
    private func values(
        _ keys: [[UInt8]], until deadline: ContinuousClock.Instant
    ) async throws(EtcdFailure) -> (values: [StoredValue?], revision: UInt64) {
        var values: [StoredValue?] = []
        values.reserveCapacity(keys.count)
        var revision: Int64 = 0
        while values.count < keys.count {
            let part = keys[values.count..<min(keys.count, values.count + WriteBatch.maximumPlaces)]
            let pinned = revision
            let request = WriteBatch.reads(of: part.map { self.keyspace.key(of: $0) }, at: pinned)
            let answer = try await self.cluster.read(request, until: deadline)
            if revision == 0 { revision = answer.header.revision }
            let now = self.clock.milliseconds()
            for response in answer.responses {
                let stored = response.responseRange.kvs.first.map { StoredValue($0) }
                values.append(stored?.exists(at: now) == true ? stored : nil)
            }
            guard answer.responses.count == part.count else {
                throw .unknown("an answer has not as many parts as asked")
            }
        }
        return (values, UInt64(revision))
    }

    // MARK: - Ranges

    /// The records that a scan uses, all from one state.
    private func page(_ scan: Scan, until deadline: ContinuousClock.Instant) async throws(EtcdFailure) -> ScanPage {
        var page = ScanPage()
        var (start, end) = self.keyspace.bounds(of: scan.range)
        // Of all records, and of all but the last one.
        var (bytes, before) = (0, 0)
        // One more than the limit shows that there is more.
        let wanted = scan.limit == .max ? .max : scan.limit + 1
        while start.lexicographicallyPrecedes(end) {
            let limit = min(wanted - page.records.count, scan.wantsValues ? Self.pageWithValues : Self.longestPage)
            let (from, to, pinned) = (start, end, Int64(page.revision))
            let request = Etcdserverpb_RangeRequest.with {
                ($0.key, $0.rangeEnd, $0.limit, $0.revision) = (from, to, Int64(limit), pinned)
                $0.keysOnly = !scan.wantsValues
                if scan.isReversed { ($0.sortOrder, $0.sortTarget) = (.descend, .key) }
            }
            let answer = try await self.cluster.read(request, until: deadline)
            if page.revision == 0 { page.revision = UInt64(answer.header.revision) }
            let found = try await self.records(answer.kvs, scan, at: Int64(page.revision), until: deadline)
            for record in found {
                page.records.append(record)
                before = bytes
                bytes += record.key.count + (scan.wantsValues ? record.value.value.count : 0)
            }
            // One record behind the page shows that there is more.
            guard answer.more, let last = answer.kvs.last?.key, page.records.count < wanted, before < scan.limitBytes
            else { break }
            if scan.isReversed { end = last } else { start = last + [0] }
        }
        if page.revision == 0 || scan.counted != nil { try await self.count(scan.counted, &page, until: deadline) }
        return page
    }

    /// Those that exist. Without values etcd says which have a lease, and those are read once more, for the time.
    private func records(
        _ pairs: [Mvccpb_KeyValue], _ scan: Scan, at revision: Int64, until deadline: ContinuousClock.Instant
    ) async throws(EtcdFailure) -> [(key: [UInt8], value: StoredValue)] {
        var values: [Data: StoredValue] = [:]
        if !scan.wantsValues {
            var leased = pairs.filter { $0.lease != 0 }.map(\.key)[...]
            while !leased.isEmpty {
                let part = leased.prefix(WriteBatch.maximumPlaces)
                leased = leased.dropFirst(part.count)
                let request = WriteBatch.reads(of: Array(part), at: revision)
                let answer = try await self.cluster.read(request, until: deadline)
                values.merge(WriteBatch.found(answer.responses)) { $1 }
            }
        }
        let now = self.clock.milliseconds()
        return pairs.compactMap { pair in
            let value = values[pair.key] ?? StoredValue(pair)
            guard value.exists(at: now), let key = self.keyspace.key(in: pair.key) else { return nil }
            return (Array(key), value)
        }
    }

    /// The number of keys in a range, in the state of the page. Those that have expired in the last seconds may be counted.
    private func count(
        _ range: KeyRange?, _ page: inout ScanPage, until deadline: ContinuousClock.Instant
    ) async throws(EtcdFailure) {
        let (start, end) = self.keyspace.bounds(of: range ?? KeyRange())
        guard start.lexicographicallyPrecedes(end) else {
            page.count = range == nil ? nil : 0
            return
        }
        let pinned = Int64(page.revision)
        let answer = try await self.cluster.read(
            .with { ($0.key, $0.rangeEnd, $0.revision, $0.countOnly) = (start, end, pinned, true) }, until: deadline)
        if page.revision == 0 { page.revision = UInt64(answer.header.revision) }
        if range != nil { page.count = Int(answer.count) }
    }
}
