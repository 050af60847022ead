import DurableFiles
import HTTP1
import KeyValueStore
import NIOHTTP1
import TransactionLog

/// What the store says to a request that it does not carry out, as an answer.
extension Problem {
    /// - Parameter applied: of a write.
    static func starting(applied: Applied?) -> Problem {
        Problem(
            .serviceUnavailable, code: "starting", detail: "The store is not open yet; /readyz shows the progress.",
            applied: applied, headers: [("Retry-After", "1")])
    }

    /// - Parameter applied: of a write that was not carried out; nil of a read.
    static func failure(_ failure: StoreFailure, applied: Applied?) -> Problem {
        switch failure {
        case .unavailable(let reason):
            Problem(
                .serviceUnavailable, code: "engine_unavailable",
                detail: "The engine that keeps the data cannot answer now: \(reason)", applied: applied,
                headers: [("Retry-After", "1")])
        case .full(let reason):
            Problem(
                .insufficientStorage, code: "engine_full",
                detail: "The engine that keeps the data has no space; deletes are still possible: \(reason)",
                applied: applied, headers: [("Retry-After", "5")])
        // Of a transaction: of what else can be sent, only values are large.
        case .tooManyOperations(let reason): Problem(.badRequest, code: "bad_transaction", detail: reason, applied: .no)
        case .tooLarge(let reason):
            Problem(
                .payloadTooLarge, code: "value_too_large",
                detail: "The engine that keeps the data takes no write of this size: \(reason)", applied: .no)
        case .unknown(let reason):
            Problem(
                .gatewayTimeout, code: "outcome_unknown",
                detail: "The engine that keeps the data has not said whether the write was carried out: \(reason)",
                applied: .unknown)
        }
    }

    static func refusal(_ refusal: CommitRefusal) -> Problem {
        switch refusal {
        case .overloaded:
            Problem(
                .serviceUnavailable, code: "overloaded", detail: "Too many writes wait for the log; try again shortly.",
                applied: .no, headers: [("Retry-After", "1")])
        case .closed:
            Problem(
                .serviceUnavailable, code: "stopping", detail: "The service is stopping and accepts no new requests.",
                applied: .no, headers: [("Retry-After", "1")])
        case .outOfSpace(let error) where error.isOutOfSpace:
            Problem(
                .insufficientStorage, code: "disk_full",
                detail:
                    "There is no space for the log's next segment; writes resume automatically once there is. \(error)",
                applied: .no, headers: [("Retry-After", "5")])
        case .outOfSpace(let error):
            Problem(
                .serviceUnavailable, code: "segment_unavailable",
                detail: "The log's next segment could not be prepared; kv-service retries. \(error)", applied: .no,
                headers: [("Retry-After", "5")])
        case .failed(let error, let written):
            Problem(
                .serviceUnavailable, code: "store_failed",
                detail: "The log cannot be written and accepts no writes until kv-service is restarted: \(error)",
                applied: written ? .unknown : .no)
        }
    }
}
