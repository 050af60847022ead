import TransactionLog

/// What the compactor reports.
enum CompactionEvent: Sendable {
    case started(number: UInt64, trigger: CompactionTrigger, space: LogSpace)
    case ended(CompactionStatus.Outcome)
}
