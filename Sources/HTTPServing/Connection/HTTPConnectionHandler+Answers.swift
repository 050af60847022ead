import HTTP1
import JSON
import NIOCore
import NIOHTTP1
import Synchronization
import SystemSupport

/// Answers.
extension HTTPConnectionHandler {
    /// Accepts the answer to the current request, from its action or from the server itself.
    ///
    /// - Parameter body: copied.
    func answer(_ head: ResponseHead, body: UnsafeRawBufferPointer) {
        guard self.request.isCurrent else { return }
        let closes = unsafe self.encode(head, body)
        self.answered(status: head.status.code, bodyBytes: body.count, closes: closes)
    }

    /// The same, with the JSON document that `write` makes as body.
    func answer(_ head: ResponseHead, write: (inout JSONWriter) -> Void) {
        guard self.request.isCurrent else { return }
        let (closes, count) = unsafe self.loop.withDocument(write) { body in
            (unsafe self.encode(head, body), body.count)
        }
        self.answered(status: head.status.code, bodyBytes: count, closes: closes)
    }

    /// Appends the answer to what will be sent.
    ///
    /// - Returns: whether the connection closes after it.
    private func encode(_ head: ResponseHead, _ body: UnsafeRawBufferPointer) -> Bool {
        let request = self.request
        let closes =
            request.closesConnection || self.machine.nextAnswerCloses(anotherWaits: self.reader.holdsHead)
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

    private func answered(status: UInt, bodyBytes: Int, closes: Bool) {
        let now = MonotonicClock.nanoseconds()
        self.loop.answered(self.request, status: status, bodyBytes: bodyBytes, now: now)
        self.request.isCurrent = false
        self.request.destination = .none
        self.endInFlight()
        switch self.machine.answered(closes: closes, now: now) {
        case .nextRequest: break
        case .linger: self.ending = .linger
        case .close: self.ending = .close
        }
        self.feed(now: now)
    }

    /// Sends the collected answers, and ends the connection after the last one.
    package func flush() {
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

    func endInFlight() {
        guard self.countsInFlight else { return }
        self.countsInFlight = false
        self.loop.counters.requestsInFlight.wrappingSubtract(1, ordering: .relaxed)
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
    package func sweep(now: UInt64) {
        // Nearly all connections of an idle service.
        if self.machine.phase == .idle, !self.mayHaveUnsentBytes, now < self.machine.deadline { return }
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

    /// The server stops: connections without a request close shortly, others after the answers to all requests that
    /// have been read.
    package func drain(now: UInt64) {
        self.machine.drainBegan(now: now)
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
        self.endInFlight()
        self.machine.lingerBegan(now: now)
        if !self.machine.inputEnded { context.close(mode: .output, promise: nil) }
    }

    /// The time limit of the graceful stop has passed: ends the current request with a 503 that reports its outcome. A
    /// later answer of its action is dropped.
    ///
    /// - Returns: whether a request was cut off; a part of a head does not count.
    package func cut() -> Bool {
        let now = MonotonicClock.nanoseconds()
        guard self.machine.phase == .body || self.machine.phase == .answering else {
            if self.machine.phase == .head { self.endBetweenRequests(now: now) }
            return false
        }
        self.beginBurst(now: now)
        if self.machine.phase == .answering {
            self.request.isCut = true
            self.fail(.cutOffUnanswered(isWrite: self.request.route?.isWrite == true))
        } else {
            self.refuse(.cutOffUnread())
        }
        self.flush()
        self.endBurst()
        return true
    }

    /// Closes the connection in any state.
    ///
    /// - Returns: whether bytes of its answers are lost.
    package func close() -> Bool {
        let losesBytes = self.unsentBytes > 0
        if losesBytes { self.loop.observer.responseCut(.stopping) }
        self.context?.close(promise: nil)
        return losesBytes
    }
}
