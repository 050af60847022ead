import HTTP1

/// The decision about a request, made from its head alone, before any of its body is read.
struct RequestAdmission {
    enum Verdict {
        /// Read the body, at most `limit` bytes, then run the action.
        case act(Route.Action, limit: Int)
        /// Read the body and drop it, then answer `204` with this `Allow`.
        case describe(allow: String)
        /// Answer the problem; immediately if it closes the connection, else after the body.
        indirect case refuse(Problem)
    }

    /// Bodies of refused requests up to this size are read and dropped, so that the connection stays usable.
    static let droppedBodyLimit = 65_536

    let target: RequestTarget
    /// Nil if no route has the path.
    let entry: RouteEntry?
    let framing: RequestFraming
    let keepsAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body.
    let expectsContinue: Bool
    let verdict: Verdict

    /// A request that was never complete.
    init(refusing problem: Problem) {
        self.init(refusing: problem, target: .unknown, entry: nil)
    }

    /// Decides on a request.
    ///
    /// A problem with the head itself closes the connection: the start of the next request is unknown.
    ///
    /// - Parameter fields: the fields of `head`, or their problem.
    init(_ head: RequestHead, fields: Result<HeadFields, Problem>, routes: RouteTable, admission: HTTPServer.Admission)
    {
        var target = RequestTarget.unknown
        var entry: RouteEntry?
        do throws(Problem) {
            target = try head.target()
            entry = routes.entry(for: target.path)
            self = try Self(head, fields: fields.get(), target: target, entry: entry, admission: admission)
        } catch {
            self.init(refusing: error, target: target, entry: entry)
        }
    }

    private init(refusing problem: Problem, target: RequestTarget, entry: RouteEntry?) {
        self.target = target
        self.entry = entry
        self.framing = .none
        self.keepsAlive = false
        self.expectsContinue = false
        self.verdict = Verdict.refuse(problem).naming(isWrite: entry?.isWrite == true)
    }

    private init(
        _ head: RequestHead, fields: HeadFields, target: RequestTarget, entry: RouteEntry?,
        admission: HTTPServer.Admission
    ) throws(Problem) {
        self.target = target
        self.entry = entry
        self.framing = try RequestFraming(fields.bodyLength, isHTTP11: head.isHTTP11)
        try Self.checkHost(fields, isHTTP11: head.isHTTP11)
        self.keepsAlive = !fields.connectionHasClose && (head.isHTTP11 || fields.connectionHasKeepAlive)
        self.expectsContinue = try Self.expectation(fields, isHTTP11: head.isHTTP11) && self.framing != .none
        var verdict = Self.verdict(head.method, fields, target, entry, admission)
        if self.expectsContinue, case .act = verdict, case .fixed(let length) = self.framing,
            let problem = entry?.bodyRefusal?(head.headers, length)
        {
            verdict = .refuse(problem)
        }
        if case .act = verdict, self.framing == .none {
            self.verdict = verdict
        } else {
            self.verdict = Self.afterBodyLimit(verdict, self.framing, expectsContinue: self.expectsContinue)
                .naming(isWrite: entry?.isWrite == true)
        }
    }

    private static func verdict(
        _ method: RequestMethod,
        _ fields: HeadFields,
        _ target: RequestTarget,
        _ entry: RouteEntry?,
        _ admission: HTTPServer.Admission
    ) -> Verdict {
        guard let entry else {
            if method == .options, target.path == "*" {
                return .describe(allow: "GET, HEAD, POST, PUT, DELETE, OPTIONS")
            }
            return .refuse(.routeNotFound())
        }
        guard let action = entry.action(for: method) else {
            return method == .options ? .describe(allow: entry.allow) : .refuse(.methodNotAllowed(allow: entry.allow))
        }
        // Ignoring a condition could lose an update. For a read, ignoring these fields is allowed.
        if entry.isWrite, let condition = fields.condition { return .refuse(.preconditionNotSupported(condition)) }
        if entry.isWrite, fields.timeout == .invalid { return .refuse(.badTimeout()) }
        if entry.isData, let problem = admission(entry.isWrite) { return .refuse(problem) }
        return .act(action, limit: entry.bodyLimitBytes)
    }

    private static func afterBodyLimit(
        _ verdict: Verdict,
        _ framing: RequestFraming,
        expectsContinue: Bool
    ) -> Verdict {
        switch (verdict, framing) {
        case (.act(_, let limit), .fixed(let length)) where length > limit:
            return .refuse(.bodyTooLarge(limit: limit))
        case (.describe, .fixed(let length)) where length > self.droppedBodyLimit:
            return .refuse(.bodyTooLarge(limit: self.droppedBodyLimit))
        case (.refuse(var problem), .fixed(let length)):
            // The body is not worth reading; or the client waits for permission to send it, and this answer is the
            // refusal.
            if length > self.droppedBodyLimit || expectsContinue { problem.closesConnection = true }
            return .refuse(problem)
        case (.refuse(var problem), .chunked):
            if expectsContinue { problem.closesConnection = true }
            return .refuse(problem)
        default: return verdict
        }
    }

    private static func checkHost(_ fields: HeadFields, isHTTP11: Bool) throws(Problem) {
        switch fields.hostCount {
        case 0:
            if isHTTP11 { throw .badRequest("An HTTP/1.1 request must have a Host field.") }
        case 1:
            guard fields.isHostValid else { throw .badRequest("The Host field is not a host name.") }
        default: throw .badRequest("The Host field must occur once.")
        }
    }

    private static func expectation(_ fields: HeadFields, isHTTP11: Bool) throws(Problem) -> Bool {
        guard fields.expectCount > 0, isHTTP11 else { return false }
        guard fields.expectCount == 1, fields.expectsContinue else { throw .expectationFailed() }
        return true
    }
}

extension RequestAdmission.Verdict {
    /// A refusal of a write reports that nothing was written.
    fileprivate func naming(isWrite: Bool) -> Self {
        guard isWrite, case .refuse(var problem) = self else { return self }
        problem.applied = .no
        return .refuse(problem)
    }
}
