import EtcdAPI
import Foundation
import SwiftProtobuf
import Testing

/// What etcd does with transactions of single keys: compares of revisions and leases, puts, deletes and reads. It records an
/// issue for what etcd refuses.
struct EtcdModel {
    struct Pair: Equatable {
        var value: Data
        var revision: Int64
        var lease: Int64
    }

    private(set) var pairs: [Data: Pair] = [:]
    private(set) var revision: Int64 = 0

    mutating func carryOut(_ request: Etcdserverpb_TxnRequest) -> Etcdserverpb_TxnResponse {
        let most = max(request.compare.count, request.success.count, request.failure.count)
        #expect(most <= 128, "etcdserver: too many operations in txn request")
        let holds = request.compare.allSatisfy { compare in
            let pair = self.pairs[compare.key]
            switch compare.target {
            case .mod: return (pair?.revision ?? 0) == compare.modRevision
            case .lease: return pair.map { $0.lease == compare.lease } ?? false
            default:
                Issue.record("the model has no compare of \(compare.target)")
                return false
            }
        }
        let operations = holds ? request.success : request.failure
        var changed: Set<Data> = []
        var responses: [Etcdserverpb_ResponseOp] = []
        for operation in operations {
            responses.append(self.carryOut(operation, &changed))
        }
        if !changed.isEmpty { self.revision += 1 }
        return .with {
            $0.header.revision = self.revision
            $0.succeeded = holds
            $0.responses = responses
        }
    }

    private mutating func carryOut(
        _ operation: Etcdserverpb_RequestOp, _ changed: inout Set<Data>
    ) -> Etcdserverpb_ResponseOp {
        switch operation.request {
        case .requestRange(let range):
            return .with { $0.responseRange.kvs = self.pair(range.key).map { [$0] } ?? [] }
        case .requestPut(let put):
            #expect(changed.insert(put.key).inserted, "etcdserver: duplicate key given in txn request")
            self.pairs[put.key] = Pair(value: put.value, revision: self.revision + 1, lease: put.lease)
            return .with { $0.responsePut = .init() }
        case .requestDeleteRange(let delete):
            let previous = self.pair(delete.key)
            if previous != nil {
                #expect(changed.insert(delete.key).inserted, "etcdserver: duplicate key given in txn request")
                self.pairs[delete.key] = nil
            }
            return .with {
                $0.responseDeleteRange = .with {
                    $0.deleted = previous == nil ? 0 : 1
                    if delete.prevKv { $0.prevKvs = previous.map { [$0] } ?? [] }
                }
            }
        default:
            Issue.record("the model has no \(operation)")
            return .init()
        }
    }

    private func pair(_ key: Data) -> Mvccpb_KeyValue? {
        guard let pair = self.pairs[key] else { return nil }
        return .with { ($0.key, $0.value, $0.modRevision, $0.lease) = (key, pair.value, pair.revision, pair.lease) }
    }

    /// Somebody else puts a key.
    mutating func put(_ key: Data, _ value: Data) {
        self.revision += 1
        self.pairs[key] = Pair(value: value, revision: self.revision, lease: 0)
    }
}
