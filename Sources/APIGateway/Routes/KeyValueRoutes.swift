import HTTP1
import HTTPServing
import KeyValueHTTP
import NIOCore

/// The actions of the gateway's data routes: checks the client's request, finds the upstream that has its keys, and has it
/// sent there. Confined to its event loop.
final class KeyValueRoutes {
    private let upstreams: LoopUpstreams
    private let limits: KeyValueLimits

    init(upstreams: LoopUpstreams, limits: KeyValueLimits) {
        self.upstreams = upstreams
        self.limits = limits
    }

    func set(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try SetRequest.read(request, limits: self.limits) { (set) throws(Problem) in
                let value = unsafe set.isRaw ? ForwardedValue.body(request.body) : .bytes(set.value)
                let forwarder = try unsafe self.upstreams.forwarder(of: set.key, applied: .no)
                try forwarder.forward(.set, value: value, if: set.precondition, responder) { forwarded in
                    unsafe forwarded.key.replace(with: set.key)
                    forwarded.key.append(set.expiry)
                }
            }
        } catch {
            responder.fail(error)
        }
    }

    func get(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try unsafe KeyParameter.withKey(of: request, .withinLimits, limits: self.limits, applied: nil) {
                (key) throws(Problem) in
                let forwarder = try unsafe self.upstreams.forwarder(of: key, applied: nil)
                try unsafe forwarder.forward(
                    .get, key: key, value: .none, responder, representation: ValueRepresentation(of: request),
                    cached: CachedRevisions(of: request))
            }
        } catch {
            responder.fail(error)
        }
    }

    func delete(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let precondition = try Precondition(ofWrite: request)
            try unsafe KeyParameter.withKey(of: request, .withinLimits, limits: self.limits, applied: .no) {
                (key) throws(Problem) in
                let forwarder = try unsafe self.upstreams.forwarder(of: key, applied: .no)
                try unsafe forwarder.forward(.delete, key: key, value: .none, if: precondition, responder)
            }
        } catch {
            responder.fail(error)
        }
    }

    func keys(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let keys = try KeysRequest(of: request)
            let forwarder = try self.upstreams.forwarder(from: keys.start, to: keys.end)
            try forwarder.forward(.keys, value: .none, responder) { forwarded in
                request.withQuery { forwarded.key.replace(withQuery: $0) }
            }
        } catch {
            responder.fail(error)
        }
    }

    func several(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let several = try SeveralRequest(of: request, limits: self.limits)
            let forwarder = try self.upstreams.forwarder(ofAll: several.keys, applied: nil)
            try forwarder.forward(.mget, body: request.body, responder)
        } catch {
            responder.fail(error)
        }
    }

    func transaction(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let transaction = try TransactionRequest(of: request, limits: self.limits)
            let forwarder = try self.upstreams.forwarder(ofAll: transaction.keys, applied: .no)
            try forwarder.forward(.txn, body: request.body, responder)
        } catch {
            responder.fail(error)
        }
    }

    func increment(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let increment = try IncrementRequest(of: request, limits: self.limits)
            let forwarder = try self.upstreams.forwarder(of: increment.key, applied: .no)
            try forwarder.forward(.incr, body: request.body, if: try Precondition(ofWrite: request), responder)
        } catch {
            responder.fail(error)
        }
    }
}

@available(*, unavailable)
extension KeyValueRoutes: Sendable {}

extension KeyValueForwarder {
    /// Sends a body that was checked on as it is.
    fileprivate func forward(
        _ operation: UpstreamOperation, body: ByteBuffer, if precondition: Precondition = .none, _ responder: Responder
    ) throws(Problem) {
        try self.forward(operation, value: .body(body), if: precondition, responder) { $0.key.clear() }
    }

    fileprivate func forward(
        _ operation: UpstreamOperation,
        key: UnsafeRawBufferPointer,
        value: ForwardedValue,
        if precondition: Precondition = .none,
        _ responder: Responder,
        representation: ValueRepresentation = .json,
        cached: CachedRevisions = .none
    ) throws(Problem) {
        try self.forward(
            operation, value: value, if: precondition, responder, representation: representation, cached: cached
        ) { forwarded in
            unsafe forwarded.key.replace(with: key)
        }
    }
}
