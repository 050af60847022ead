import Glibc

#if DEBUG
/// Not in release builds. Ends the process before a numbered step of the log, so that tests can check the state after a
/// crash there: `KV_FAIL_POINT=compaction:4` ends it before the fourth step of the first compaction, `rotation:2`
/// before the second step of the first move to the next segment.
enum FailPoint {
    static func fromEnvironment() -> (@Sendable (String) -> Void)? {
        guard let value = unsafe getenv("KV_FAIL_POINT") else { return nil }
        let wanted = unsafe String(cString: value)
        return { step in
            if step == wanted { kill(getpid(), SIGKILL) }
        }
    }
}
#endif
