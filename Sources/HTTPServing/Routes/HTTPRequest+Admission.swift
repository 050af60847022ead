import HTTP1
import NIOCore

/// What is to be done with a request, decided from its head alone, before any of its body is read.
enum Verdict {
    /// Read the body, at most `limit` bytes, then run the route's action for the method.
    case act(limit: Int)
    /// Read the body and drop it, then answer `204` with this `Allow`.
    case describe(allow: String)
    /// Answer the problem; immediately if it closes the connection, else after the body.
    indirect case refuse(Problem)

    /// Bodies of refused requests up to this size are read and dropped, so that the connection stays usable.
    static let droppedBodyLimit = 65_536
}

/// The decision about a request.
extension HTTPRequest {
    /// Finds the route of the request, and decides what is to be done. A problem with the head itself closes the
    /// connection: the start of the next request is unknown.
    ///
    /// - Parameter head: its bytes.
    func admit(_ head: Span<UInt8>, _ loop: HTTPServerLoop) {
        self.framing = .none
        self.keepsAlive = false
        self.expectsContinue = false
        do throws(Problem) {
            try self.findRoute(head, loop.routes)
            if self.fields.isMalformed {
                throw .badRequest("Each header field must be: name, colon, value, without control characters.")
            }
            try self.decide(loop)
        } catch {
            self.framing = .none
            self.keepsAlive = false
            self.expectsContinue = false
            self.verdict = Verdict.refuse(error).naming(isWrite: self.route?.isWrite == true)
        }
    }

    private func findRoute(_ head: Span<UInt8>, _ routes: RouteTable) throws(Problem) {
        do throws(Problem) {
            self.target = try RequestTarget(parsing: head, self.head.target)
        } catch {
            self.target = nil
            self.route = nil
            throw error
        }
        if let path = self.target?.path {
            self.setRoute(forPath: head.extracting(path), routes)
        } else {
            // An absolute form without a path means this one.
            let root: InlineArray<1, UInt8> = [UInt8(ascii: "/")]
            self.setRoute(forPath: root.span, routes)
        }
    }

    private func setRoute(forPath path: Span<UInt8>, _ routes: RouteTable) {
        // Nearly always that of the request before.
        if self.route?.has(path: path) == true { return }
        self.route = routes.entry(for: path)
    }

    private func decide(_ loop: HTTPServerLoop) throws(Problem) {
        self.framing = try RequestFraming(self.fields.bodyLength, isHTTP11: self.isHTTP11)
        try Self.checkHost(self.fields, isHTTP11: self.isHTTP11)
        self.keepsAlive =
            !self.fields.connectionHasClose && (self.isHTTP11 || self.fields.connectionHasKeepAlive)
        self.expectsContinue = try Self.expectation(self.fields, isHTTP11: self.isHTTP11) && self.framing != .none
        self.verdict = self.verdict(loop)
        if self.expectsContinue, case .act = self.verdict, case .fixed(let length) = self.framing,
            let problem = self.route?.bodyRefusal?(self.headers, length)
        {
            self.verdict = .refuse(problem)
        }
        if case .act = self.verdict, self.framing == .none { return }
        self.verdict = Self.afterBodyLimit(self.verdict, self.framing, expectsContinue: self.expectsContinue)
            .naming(isWrite: self.route?.isWrite == true)
    }

    private func verdict(_ loop: HTTPServerLoop) -> Verdict {
        if let access = loop.access {
            let now = self.receivedAtNanoseconds &+ loop.wallClockOffset
            if !self.hasRole(wallClockNanoseconds: now),
                let problem = self.accessProblem(access, wallClockNanoseconds: now)
            {
                return .refuse(problem)
            }
        }
        guard let route = self.route else {
            if self.method == .options, self.isForServer {
                return .describe(allow: "GET, HEAD, POST, PUT, DELETE, OPTIONS")
            }
            return .refuse(.routeNotFound())
        }
        guard route.takes(self.method) else {
            return self.method == .options
                ? .describe(allow: route.allow) : .refuse(.methodNotAllowed(allow: route.allow))
        }
        // Ignoring a condition could lose an update. For a read, ignoring these fields is allowed.
        if route.isWrite, let condition = self.fields.condition(besidesTags: route.takesPreconditions) {
            return .refuse(.preconditionNotSupported(condition))
        }
        if route.isWrite, self.fields.timeout == .invalid { return .refuse(.badTimeout()) }
        if route.isData, let problem = loop.admission(route.isWrite) { return .refuse(problem) }
        if let problem = route.refusal?(self) { return .refuse(problem) }
        return .act(limit: route.bodyLimitBytes)
    }

    /// Whether the target is `*`.
    private var isForServer: Bool {
        guard let path = self.target?.path else { return false }
        let head = self.head.bytes
        return ASCII.identical(head.readableBytesUInt8Span.extracting(path), "*")
    }

    private static func afterBodyLimit(
        _ verdict: Verdict,
        _ framing: RequestFraming,
        expectsContinue: Bool
    ) -> Verdict {
        switch (verdict, framing) {
        case (.act(let limit), .fixed(let length)) where length > limit:
            return .refuse(.bodyTooLarge(limit: limit))
        case (.describe, .fixed(let length)) where length > Verdict.droppedBodyLimit:
            return .refuse(.bodyTooLarge(limit: Verdict.droppedBodyLimit))
        case (.refuse(var problem), .fixed(let length)):
            // The body is not worth reading; or the client waits for permission to send it, and this answer is the
            // refusal.
            if length > Verdict.droppedBodyLimit || expectsContinue { problem.closesConnection = true }
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

extension Verdict {
    /// A refusal of a write reports that nothing was written.
    fileprivate func naming(isWrite: Bool) -> Self {
        guard isWrite, case .refuse(var problem) = self else { return self }
        problem.applied = .no
        return .refuse(problem)
    }
}
