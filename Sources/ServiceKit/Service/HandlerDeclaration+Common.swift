import HTTP1
import HTTPServing

extension HandlerDeclaration {
    /// The handlers that every service has.
    ///
    /// - Parameters:
    ///   - adminStatuses: of successes of the service's own actions below `/admin`, besides 200.
    ///   - adminProblems: what its own documents and actions there can answer besides.
    static func common(adminStatuses: [UInt] = [], adminProblems: [ProblemKind] = []) -> [HandlerDeclaration] {
        [
            Self("index", [.get], problems: ProblemKind.ofQuery), Self("health", [.get]), Self("livez", [.get]),
            Self("readyz", [.get], statuses: [200, 503]), Self("metrics", [.get], problems: ProblemKind.ofAccess),
            Self(
                "admin", [.get, .post], statuses: [200] + adminStatuses,
                problems: ProblemKind.ofAdmin + [.ofOtherMethod] + adminProblems),
        ]
    }
}
