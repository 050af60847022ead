import EtcdAPI

/// The requests of the engine, by the rules of ``EtcdCluster``.
extension EtcdCluster {
    /// A transaction that changes nothing, or may be carried out twice.
    func read(
        _ transaction: Etcdserverpb_TxnRequest, until deadline: ContinuousClock.Instant
    ) async throws(EtcdFailure) -> Etcdserverpb_TxnResponse {
        try await self.read(until: deadline) {
            try await $0.member.keys.txn(transaction, metadata: $0.metadata, options: $0.options)
        }
    }

    func read(
        _ range: Etcdserverpb_RangeRequest, until deadline: ContinuousClock.Instant
    ) async throws(EtcdFailure) -> Etcdserverpb_RangeResponse {
        try await self.read(until: deadline) {
            try await $0.member.keys.range(range, metadata: $0.metadata, options: $0.options)
        }
    }

    func write(
        _ transaction: Etcdserverpb_TxnRequest, until deadline: ContinuousClock.Instant
    ) async throws(EtcdFailure) -> Etcdserverpb_TxnResponse {
        try await self.write(until: deadline) {
            try await $0.member.keys.txn(transaction, metadata: $0.metadata, options: $0.options)
        }
    }
}
