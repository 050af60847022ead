public import HTTP1
public import NIOCore
import SystemSupport
import TransportSecurity

/// Received bytes.
extension HTTPConnectionHandler {
    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // More bytes than allowed can only arrive with the end of input: what was kept is answered.
        guard !self.endOfInputSeen else { return }
        if !self.reader.append(Self.unwrapInboundIn(data)) { self.endOfInputSeen = true }
        self.feed(now: MonotonicClock.nanoseconds())
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? ChannelEvent {
        case .inputClosed?:
            self.endOfInputSeen = true
            self.feed(now: MonotonicClock.nanoseconds())
        case .outputClosed? where self.machine.inputEnded: context.close(promise: nil)
        default:
            if TLSSignal.isHandshakeCompleted(event) { self.loop.observer.handshakeEnded(failure: nil) }
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// Processes as many requests as possible now, then sends the answers.
    func feed(now: UInt64) {
        if self.inBurst || self.context == nil { return }
        self.beginBurst(now: now)
        repeat {
            while self.hasInput, self.takePiece() {}
            self.flush()
        } while self.hasInput && self.demand != .nothing
        if self.endOfInputSeen, !self.reader.holdsBytes { self.inputDidEnd() }
        self.endBurst()
    }

    /// Whether something can be processed without further bytes.
    private var hasInput: Bool { self.reader.holdsBytes || self.machine.turnHasCome }

    /// - Returns: false if no further piece can follow now.
    private func takePiece() -> Bool {
        switch self.demand {
        case .nothing: return false
        case .discard:
            self.reader.dropAll()
            return false
        case .head:
            let head = self.reader.nextHead()
            // An empty line between two requests is of neither.
            if case .incomplete = head, !self.reader.isInHead { return false }
            self.requestBegan()
            switch head {
            case .incomplete: return false
            case .refused(let refusal): self.refuse(.refusedHead(refusal, limits: self.loop.limits))
            case .complete(let head): self.take(head)
            }
        case .turn: self.takeTurn()
        case .body(let remaining): self.take(self.reader.nextPiece(limit: remaining))
        case .chunkedBody:
            let (taken, chunk) = self.reader.nextChunk()
            self.countChunked(taken)
            guard self.machine.phase == .body else { return true }
            switch chunk {
            case .more: break
            case .data(let data): self.take(data)
            case .end: self.didEnd(self.request)
            case .refused: self.refuse(.badRequest("The chunked body is malformed; see RFC 9112, section 7.1."))
            }
        }
        return true
    }

    func beginBurst(now: UInt64) {
        self.now = now
        self.inBurst = true
    }

    /// After a burst: resumes reading if it was suspended and the reason is gone. A body may take long to come.
    func endBurst() {
        self.inBurst = false
        if self.machine.phase == .body { self.request.compactHead() }
        if self.readIsDue, self.demand != .nothing, let context = self.context {
            self.readIsDue = false
            context.read()
        }
    }

    /// A deadline has passed.
    public func expire(_ problem: Problem, now: UInt64) {
        self.beginBurst(now: now)
        self.refuse(problem)
        self.flush()
        self.endBurst()
    }

    /// The peer closed its half, and all its bytes have been processed.
    private func inputDidEnd() {
        if self.isStreaming {
            // Nobody reads a stream to its end, so a client that ends its half has gone.
            self.context?.close(promise: nil)
            return
        }
        guard self.machine.inputDidEnd() else {
            // What has arrived of a further request gets no answer.
            if self.machine.phase == .idle { self.countInFlight(self.machine.earlier - self.inFlight) }
            return
        }
        guard let context = self.context else { return }
        if self.unsentBytes == 0 {
            context.close(promise: nil)
        } else {
            self.lingerUntilSent(context, now: self.now)
        }
    }
}
