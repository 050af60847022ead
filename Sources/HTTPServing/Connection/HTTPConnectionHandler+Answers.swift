import HTTP1
import JSON
import NIOCore
import NIOHTTP1
import Synchronization
import SystemSupport

/// Answers.
extension HTTPConnectionHandler {
    /// Accepts the answer to a request, from its action or from the server itself.
    ///
    /// - Parameter body: copied.
    func answer(_ request: HTTPRequest, _ head: ResponseHead, body: UnsafeRawBufferPointer) {
        guard request.isCurrent else { return }
        guard self.isTurn(of: request) else {
            return self.hold(HTTPResponse(head, .bytes(unsafe Array(body))), of: request)
        }
        let closes = unsafe self.encode(request, head, body)
        let now = self.answered(request, status: head.status.code, bodyBytes: body.count, closes: closes)
        self.continueAfterAnswers(now: now)
    }

    /// The same, with the JSON document that `write` makes as body.
    func answer(_ request: HTTPRequest, _ head: ResponseHead, write: (inout JSONWriter) -> Void) {
        guard request.isCurrent else { return }
        guard self.isTurn(of: request) else {
            let body = unsafe self.loop.withDocument(write) { unsafe Array($0) }
            return self.hold(HTTPResponse(head, .bytes(body)), of: request)
        }
        let (closes, count) = unsafe self.loop.withDocument(write) { body in
            (unsafe self.encode(request, head, body), body.count)
        }
        let now = self.answered(request, status: head.status.code, bodyBytes: count, closes: closes)
        self.continueAfterAnswers(now: now)
    }

    /// Appends the answer to what will be sent.
    ///
    /// - Returns: whether the connection closes after it.
    func encode(_ request: HTTPRequest, _ head: ResponseHead, _ body: UnsafeRawBufferPointer) -> Bool {
        if request.closesConnection { self.machine.endBegan() }
        let closes = self.machine.nextAnswerCloses(anotherWaits: self.reader.holdsHead)
        if self.machine.phase != .closed {
            self.withOutput { output in
                unsafe self.loop.encoder.write(
                    head,
                    body: body,
                    requestID: request.identity.id,
                    withoutBody: request.method == .head,
                    closes: closes,
                    keepAliveNamed: !request.isHTTP11,
                    to: &output
                )
            }
        }
        return closes
    }

    /// The oldest request without an answer got one.
    ///
    /// - Returns: when.
    func answered(_ request: HTTPRequest, status: UInt, bodyBytes: Int, closes: Bool) -> UInt64 {
        let now = MonotonicClock.nanoseconds()
        self.loop.answered(request, status: status, bodyBytes: bodyBytes, now: now)
        request.isCurrent = false
        request.destination = .none
        self.holder = nil
        self.countInFlight(-1)
        if request !== self.request { self.earlierAnswered(request) }
        switch self.machine.answered(closes: closes, now: now) {
        case .nextRequest: break
        case .linger: self.end(as: .linger)
        case .close: self.end(as: .close)
        }
        return now
    }

    private func end(as ending: ConnectionMachine.AfterAnswer) {
        self.ending = ending
        // What is left of a further request gets no answer.
        self.countInFlight(-self.inFlight)
    }

    /// Sends the collected answers, and ends the connection after the last one.
    public func flush() {
        guard let context = self.context else { return }
        let ending = self.ending
        guard let output = self.output else { return }
        self.output = nil
        self.writtenBytes &+= UInt64(output.readableBytes)
        self.mayHaveUnsentBytes = true
        // `wrapOutboundOut` finds the type at run time.
        context.writeAndFlush(NIOAny(output), promise: nil)
        self.loop.recycle(output)
        if ending != nil { self.end(context) }
    }

    private func end(_ context: ChannelHandlerContext) {
        // If input ended on both sides, closing the output would close everything, including unsent bytes; the sweep
        // closes it later.
        if self.unsentBytes == 0 {
            if self.machine.inputEnded {
                context.close(promise: nil)
            } else {
                context.close(mode: .output, promise: nil)
            }
        } else if !self.machine.inputEnded {
            context.close(mode: .output, promise: nil)
        }
    }

    func withOutput(_ body: (inout ByteBuffer) -> Void) {
        var output = self.output ?? self.loop.takeBuffer()
        self.output = nil
        body(&output)
        self.output = output
    }

    /// Changes the number of requests of this connection between their first byte and their answer.
    func countInFlight(_ change: Int) {
        // Those of a closed connection are not counted any more.
        guard self.inFlight + change >= 0 else { return }
        self.inFlight += change
        self.loop.counters.requestsInFlight.wrappingAdd(change, ordering: .relaxed)
    }

    /// Bytes of answers that wait for space in the socket.
    var unsentBytes: Int {
        guard self.mayHaveUnsentBytes, let options = self.context?.channel.syncOptions else { return 0 }
        let unsent = (try? options.getOption(.bufferedWritableBytes)) ?? 0
        if unsent == 0 { self.mayHaveUnsentBytes = false }
        return unsent
    }
}

/// Time limits and drain.
extension HTTPConnectionHandler {
    /// Checks whether a deadline has passed.
    public func sweep(now: UInt64) {
        // Nearly all connections of an idle service.
        if self.machine.phase == .idle, self.machine.earlier == 0, !self.mayHaveUnsentBytes,
            now < self.machine.deadline
        {
            return
        }
        if self.holder != nil, self.cutWithoutAccess(now: now) { return }
        if self.isStreaming, !self.mayHaveUnsentBytes { return }
        self.failIfLost()
        guard let context = self.context else { return }
        let unsent = self.unsentBytes
        if self.writeProgress.isStalled(written: self.writtenBytes, unsent: unsent, now: now) {
            self.loop.observer.responseCut(.writeTimeout)
            context.close(promise: nil)
            return
        }
        if unsent > 0, !self.machine.isDraining || self.machine.phase == .lingering {
            self.machine.answersUnderWay(now: now)
        } else if self.machine.phase == .lingering, self.machine.inputEnded {
            context.close(promise: nil)
            return
        }
        switch self.machine.expiry(now: now) {
        case nil: break
        case .close?: self.endBetweenRequests(now: now)
        case .refuseHead?: self.expire(.headTimedOut(seconds: self.loop.timeouts.head / 1_000_000_000), now: now)
        case .refuseBody?: self.expire(.bodyTimedOut(seconds: self.loop.timeouts.body / 1_000_000_000), now: now)
        }
    }

    /// A request that waits, such as a watch, ends with its access key: its client finds out why when it connects again.
    private func cutWithoutAccess(now: UInt64) -> Bool {
        guard let access = self.loop.access, let context = self.context,
            !self.request.isStillPermitted(access, wallClockNanoseconds: now &+ self.loop.wallClockOffset)
        else { return false }
        self.loop.observer.responseCut(.accessEnded)
        context.close(promise: nil)
        return true
    }

    /// The server stops: connections without a request close shortly, others after the answers to all requests that
    /// have been read.
    public func drain(now: UInt64) {
        self.machine.drainBegan(now: now)
        self.holder?.serverStops()
    }

    /// Ends a connection without a current request after the earlier answers have been sent. Requests that wait for the
    /// peer to read those are answered first.
    func endBetweenRequests(now: UInt64) {
        guard let context = self.context else { return }
        if self.unsentBytes == 0 {
            context.close(promise: nil)
        } else if self.machine.phase == .idle, self.reader.holdsHead {
            self.machine.answersUnderWay(now: now)
        } else {
            self.lingerUntilSent(context, now: now)
        }
    }

    /// Reads no more from the connection, which ends after the earlier answers have been sent.
    func lingerUntilSent(_ context: ChannelHandlerContext, now: UInt64) {
        self.request.isCurrent = false
        self.countInFlight(-self.inFlight)
        self.machine.lingerBegan(now: now)
        if !self.machine.inputEnded { context.close(mode: .output, promise: nil) }
    }

    /// Closes the connection in any state.
    ///
    /// - Returns: whether bytes of its answers are lost.
    public func close() -> Bool {
        let losesBytes = self.unsentBytes > 0
        if losesBytes { self.loop.observer.responseCut(.stopping) }
        self.context?.close(promise: nil)
        return losesBytes
    }
}
