public import HTTP1

/// The problems of the key-value operations, in every service that has them.
extension ProblemKind {
    /// Of all routes of data, before the action gets the request.
    private static let ofData = ofAccess + ofGate

    /// What a store beyond this process may fail with, without a change.
    private static let ofEngine = [ProblemKind(503, "engine_unavailable")]

    /// A key in a query.
    private static let ofKey =
        ofQuery + [ProblemKind(400, "key_missing"), ProblemKind(400, "key_empty"), ProblemKind(400, "key_too_large")]

    /// Refusals of a write by the store, and because of its idempotency key.
    private static let ofStore =
        ofEngine + [
            ProblemKind(503, "overloaded"), ProblemKind(503, "store_failed"), ProblemKind(503, "segment_unavailable"),
            ProblemKind(504, "deadline_exceeded"), ProblemKind(504, "outcome_unknown"), ProblemKind(507, "disk_full"),
            ProblemKind(507, "engine_full"),
            ProblemKind(400, "bad_idempotency_key"), ProblemKind(422, "idempotency_key_reused"),
        ]

    private static let ofPrecondition = [ProblemKind(400, "bad_precondition"), ProblemKind(412, "precondition_failed")]

    /// A body that is JSON, with keys.
    private static let ofBody = [
        ProblemKind(400, "not_json"), ProblemKind(400, "bad_json"), ProblemKind(400, "unknown_parameter"),
        ProblemKind(400, "key_missing"), ProblemKind(400, "key_empty"), ProblemKind(400, "key_too_large"),
        ProblemKind(415, "unsupported_media_type"),
    ]

    /// Of writes that add data.
    private static let ofAddition = [ProblemKind(400, "bad_expiry"), ProblemKind(507, "memory_limit")]

    public static let ofSet =
        ofData + ofWriteAdmission + ofPrecondition + ofKey + ofStore + ofAddition + [
            ProblemKind(400, "not_json"), ProblemKind(400, "bad_json"), ProblemKind(400, "value_missing"),
            ProblemKind(413, "value_too_large"), ProblemKind(415, "unsupported_media_type"),
        ]

    public static let ofTransaction =
        ofData + ofWriteAdmission + ofBody + ofStore + ofAddition + [
            ProblemKind(400, "bad_transaction"), ProblemKind(400, "value_missing"), ProblemKind(409, "checks_failed"),
            ProblemKind(413, "value_too_large"),
        ]

    public static let ofIncrement =
        ofData + ofWriteAdmission + ofPrecondition + ofBody + ofStore + ofAddition + [
            ProblemKind(409, "not_a_number"), ProblemKind(409, "overflow"),
        ]

    public static let ofSeveral = ofData + ofBody + ofEngine

    public static let ofGet = ofData + ofKey + ofEngine + [ProblemKind(404, "key_not_found")]

    public static let ofKeys = ofData + ofQuery + ofEngine + [ProblemKind(400, "bad_cursor")]

    public static let ofWatch =
        ofData + ofQuery + ofEngine + [
            ProblemKind(400, "bad_revision"), ProblemKind(400, "revision_in_the_future"),
            ProblemKind(410, "revision_compacted"), ProblemKind(501, "watch_disabled"),
            ProblemKind(503, "store_failed"), ProblemKind(503, "too_many_watchers"),
        ]

    public static let ofDelete = ofData + ofWriteAdmission + ofPrecondition + ofKey + ofStore
}
