import TransactionLog

/// What the compactor tells.
enum CompactionEvent: Sendable {
    case started(number: UInt64, trigger: CompactionTrigger, space: LogSpace)
    case ended(CompactionStatus.Outcome)
}
