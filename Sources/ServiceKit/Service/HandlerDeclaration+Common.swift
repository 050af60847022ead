import HTTP1
import HTTPServing

extension HandlerDeclaration {
    /// The handlers that every service has.
    ///
    /// - Parameter adminProblems: what the service's own documents and actions below `/admin` can answer besides.
    static func common(adminProblems: [ProblemKind]) -> [HandlerDeclaration] {
        [
            Self("index", [.get], problems: ProblemKind.ofQuery), Self("health", [.get]), Self("livez", [.get]),
            Self("readyz", [.get], statuses: [200, 503]), Self("metrics", [.get]),
            Self(
                "admin", [.get, .post], statuses: [200, 202],
                problems: ProblemKind.ofAdmin + [.ofOtherMethod] + adminProblems),
        ]
    }
}
