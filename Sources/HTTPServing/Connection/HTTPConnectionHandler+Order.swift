import HTTP1
import NIOCore
import NIOHTTP1
import SystemSupport

/// The order of requests and answers, if requests are read before earlier ones are answered.
extension HTTPConnectionHandler {
    /// Whether another request may be read before the current one, which is with its action, is answered.
    var mayBeFollowed: Bool {
        self.machine.mayBeFollowed && self.request.keepsOrder && self.earlierBytes < Self.earlierLimitBytes
    }

    /// The first bytes of the next request arrived before the current one is answered.
    func requestIsFollowed() {
        self.machine.isFollowed()
        self.earlierRequests.append(self.request)
        self.earlierBytes += self.request.bodyBytes
        self.request = self.loop.takeRecord(client: self.request.client)
    }

    /// Whether all requests before this one are answered.
    func isTurn(of request: HTTPRequest) -> Bool {
        self.machine.earlier == 0 || self.earlierRequests.first === request
    }

    /// Keeps the answer to a request until all earlier ones are answered.
    func hold(_ answer: HTTPResponse, of request: HTTPRequest) {
        request.isCurrent = false
        request.destination = .none
        request.heldAnswer = answer
        self.heldAnswers += 1
        self.earlierBytes += answer.body.count
        if request === self.request, self.machine.phase != .answering { self.machine.refusedBeforeItsTurn() }
    }

    /// The oldest request, which others have followed, is answered.
    func earlierAnswered(_ request: HTTPRequest) {
        // None is left if the connection has closed.
        guard self.earlierRequests.popFirst() != nil else { return }
        self.earlierBytes -= request.bodyBytes
        if !request.isCut { self.loop.recycle(request) }
    }

    /// Gives the answers whose turn has come, and goes on with the input.
    ///
    /// - Parameter now: the time of the answer before them.
    func continueAfterAnswers(now: UInt64) {
        while self.heldAnswers > 0 {
            let oldest = self.earlierRequests.first ?? self.request
            guard let answer = oldest.heldAnswer.take() else { break }
            self.heldAnswers -= 1
            self.earlierBytes -= answer.body.count
            unsafe answer.body.withBytes { body in
                let closes = unsafe self.encode(oldest, answer.head, body)
                _ = self.answered(oldest, status: answer.status.code, bodyBytes: body.count, closes: closes)
            }
        }
        if self.inBurst { return }
        if self.machine.earlier > 0 {
            self.loop.feedAtEndOfTurn(self)
        } else {
            self.feed(now: now)
        }
    }

    /// Ends requests that their actions have let go of without an answer.
    func failIfLost() {
        // From the newest, because an answer to the oldest releases those behind it.
        for offset in (0..<self.earlierRequests.count).reversed() {
            let index = self.earlierRequests.index(self.earlierRequests.startIndex, offsetBy: offset)
            let isLost = self.earlierRequests.modify(index) { $0.isCurrent && isKnownUniquelyReferenced(&$0) }
            if isLost { self.failLost(self.earlierRequests[index]) }
        }
        if self.machine.phase == .answering, self.request.isCurrent, isKnownUniquelyReferenced(&self.request) {
            self.failLost(self.request)
        }
    }

    private func failLost(_ request: HTTPRequest) {
        self.fail(request, .unanswered(isWrite: request.route?.isWrite == true))
    }

    /// The time limit of the graceful stop has passed: ends all requests with a 503 that reports their outcome. Later
    /// answers of their actions are dropped.
    ///
    /// - Returns: how many requests were cut off; a part of a head does not count.
    public func cut() -> Int {
        let now = MonotonicClock.nanoseconds()
        self.beginBurst(now: now)
        var count = 0
        while self.machine.earlier > 0, let oldest = self.earlierRequests.first {
            self.cut(oldest)
            count += 1
        }
        switch self.machine.phase {
        case .answering where self.isStreaming: self.context?.close(promise: nil)
        case .answering where self.request.isCurrent:
            self.cut(self.request)
            count += 1
        case .waiting, .body:
            self.refuse(.cutOffUnread())
            count += 1
        case .head: self.endBetweenRequests(now: now)
        case .idle, .answering, .lingering, .closed: break
        }
        self.flush()
        self.endBurst()
        return count
    }

    private func cut(_ request: HTTPRequest) {
        request.isCut = true
        self.fail(request, .cutOffUnanswered(isWrite: request.route?.isWrite == true))
    }

    /// The connection has closed. Answers are not sent any more, but counted and logged: those that waited for their turn
    /// now, all others when their actions give them.
    func closed() {
        self.machine.closed()
        self.releaseHolder()
        self.countInFlight(-self.inFlight)
        while let request = self.earlierRequests.popFirst() { self.countHeldAnswer(of: request) }
        self.countHeldAnswer(of: self.request)
        self.heldAnswers = 0
        self.earlierBytes = 0
    }

    private func countHeldAnswer(of request: HTTPRequest) {
        guard let answer = request.heldAnswer.take() else { return }
        self.loop.answered(
            request, status: answer.status.code, bodyBytes: answer.body.count, now: MonotonicClock.nanoseconds())
    }
}
