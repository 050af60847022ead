package import HTTP1

/// What a handler can answer. Its series in the metrics begin with it, and in a debug build an answer that is not
/// declared ends the process, so that no series can begin with its first event unnoticed.
package struct HandlerDeclaration: Sendable {
    /// The handler of requests that no route takes.
    package static let otherHandler = "other"

    /// As in ``Route/handler``.
    package let handler: String
    /// The methods that its routes take; `HEAD` comes with `GET`.
    package let methods: [RequestMethod]
    /// Statuses of successes.
    let successes: [UInt]
    /// The problems it can answer, those of the server included.
    package let problems: [ProblemKind]
    /// Whether it passes problems of another service on, with codes that are not known here.
    package let passesProblemsOn: Bool

    /// - Parameters:
    ///   - statuses: all that it answers without a problem.
    ///   - problems: besides those that the server itself answers on every route.
    package init(
        _ handler: String, _ methods: [RequestMethod], statuses: [UInt] = [200], problems: [ProblemKind] = [],
        passesProblemsOn: Bool = false
    ) {
        self.handler = handler
        self.methods = methods.contains(.get) && !methods.contains(.head) ? methods + [.head] : methods
        self.successes = statuses
        self.problems = ProblemKind.ofServer + problems
        self.passesProblemsOn = passesProblemsOn
    }

    /// What no route takes; `OTHER` are heads that never came to name a method, and methods that nobody knows. 204 is for
    /// `OPTIONS *`, which asks the server as a whole.
    package static let other = Self(
        Self.otherHandler, [.get, .head, .post, .put, .delete, .options, .other], statuses: [204],
        problems: ProblemKind.ofNoRoute)

    /// Every status that it can answer to the methods it takes.
    package var statuses: [UInt] {
        Set(self.successes + self.problems.map(\.status)).sorted()
    }

    /// Whether an answer with this status, and with this problem's code if it is one, is declared.
    package func permits(status: UInt, code: String?) -> Bool {
        guard let code else { return self.successes.contains(status) }
        if self.problems.contains(ProblemKind(status, code)) { return true }
        return self.passesProblemsOn && !self.problems.contains { $0.code == code }
    }
}
