public import HTTP1

/// One path of a service with an action for each method.
///
/// Routes are created once per event loop, so an action may hold state that is confined to its loop. An action runs on
/// the event loop, must not block, and answers its ``Responder`` exactly once: immediately, or later on the same loop.
public struct Route {
    public typealias Action = (HTTPRequest, Responder) -> Void
    public typealias Refusal = (HTTPRequest) -> Problem?
    public typealias BodyRefusal = (_ headers: HeaderFields, _ length: Int) -> Problem?

    /// How a route's requests are logged, and whether they are accepted while the service starts or drains.
    public enum Kind: Sendable {
        /// Data: logged at info. `isWrite` decides whether problems from the server contain `applied`.
        case data(isWrite: Bool)
        /// Health probes and scrapes: logged at debug, answered in every state.
        case probe
        /// The operators' documents and actions: logged at info, answered in every state.
        case admin
    }

    public let path: String
    /// The value of the `handler` label in metrics and of `handler` in access lines.
    public let handler: String
    public let kind: Kind
    /// Who may use it, if the service has access keys. Decided from the head of a request alone.
    public let access: RouteAccess
    /// Maximum body in bytes; larger ones are answered with 413 `body_too_large` before they are read.
    public let bodyLimitBytes: Int
    /// What is wrong with a body, judged by the header fields and its length, within ``bodyLimitBytes``. Used for
    /// clients that wait before they send the body; others get the problem after the body has arrived.
    public let bodyRefusal: BodyRefusal?
    /// Asked for each request that the service takes, before its body is read: nil, or the problem that it is answered.
    public let refusal: Refusal?
    /// Whether all that the actions of such routes do takes effect in the order in which they were called, however late
    /// they answer. Then a connection calls them for writes that a client pipelines before the earlier ones are answered;
    /// any other request waits for the answers before it.
    public let keepsOrder: Bool
    /// Whether the actions of a route that writes respect `If-Match` and `If-None-Match`. Else a request with them is
    /// refused.
    public let takesPreconditions: Bool
    public let actions: [(method: RequestMethod, action: Action)]

    public init(
        path: String,
        handler: String,
        kind: Kind,
        access: RouteAccess,
        bodyLimitBytes: Int = 0,
        bodyRefusal: BodyRefusal? = nil,
        refusal: Refusal? = nil,
        keepsOrder: Bool = false,
        takesPreconditions: Bool = false,
        actions: [(method: RequestMethod, action: Action)]
    ) {
        self.path = path
        self.handler = handler
        self.kind = kind
        self.access = access
        self.bodyLimitBytes = bodyLimitBytes
        self.bodyRefusal = bodyRefusal
        self.refusal = refusal
        self.keepsOrder = keepsOrder
        self.takesPreconditions = takesPreconditions
        self.actions = actions
    }
}
