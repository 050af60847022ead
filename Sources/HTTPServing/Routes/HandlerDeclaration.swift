public import HTTP1

/// The answers that a handler can give. Their series in the metrics exist from the start, and in a debug build an
/// undeclared answer ends the process, so that no series can begin with its first event.
public struct HandlerDeclaration: Sendable {
    /// The handler of requests without a route.
    public static let otherHandler = "other"

    /// As in ``Route/handler``.
    public let handler: String
    /// The methods that its routes accept; `HEAD` comes with `GET`.
    public let methods: [RequestMethod]
    /// Statuses of successes.
    let successes: [UInt]
    /// The problems that it can answer, including those of the server.
    public let problems: [ProblemKind]
    /// Whether it forwards problems of another service, with codes that are not known here.
    public let passesProblemsOn: Bool

    /// - Parameters:
    ///   - statuses: all statuses of answers without a problem.
    ///   - problems: in addition to those that the server itself answers on every route.
    public init(
        _ handler: String, _ methods: [RequestMethod], statuses: [UInt] = [200], problems: [ProblemKind] = [],
        passesProblemsOn: Bool = false
    ) {
        self.handler = handler
        self.methods = methods.contains(.get) && !methods.contains(.head) ? methods + [.head] : methods
        self.successes = statuses
        self.problems = ProblemKind.ofServer + problems
        self.passesProblemsOn = passesProblemsOn
    }

    /// Requests without a route; `OTHER` are heads without a valid method, and unknown methods. 204 is for `OPTIONS *`,
    /// which addresses the server as a whole.
    public static let other = Self(
        Self.otherHandler, [.get, .head, .post, .put, .delete, .options, .other], statuses: [204],
        problems: ProblemKind.ofNoRoute)

    /// Every status that it can answer to the methods it accepts.
    public var statuses: [UInt] {
        Set(self.successes + self.problems.map(\.status)).sorted()
    }

    /// Whether an answer with this status, and with this code if it is a problem, is declared.
    public func permits(status: UInt, code: String?) -> Bool {
        guard let code else { return self.successes.contains(status) }
        if self.problems.contains(ProblemKind(status, code)) { return true }
        return self.passesProblemsOn && !self.problems.contains { $0.code == code }
    }
}
