package import HTTP1

/// One path of a service and what each method on it does.
///
/// Routes are made once per event loop, so an action may hold state that is confined to its loop. An action runs on
/// the event loop, must not block, and answers its ``Responder`` exactly once: at once, or later on the same loop.
package struct Route {
    package typealias Action = (HTTPRequest, Responder) -> Void
    package typealias BodyRefusal = (_ headers: HeaderFields, _ length: Int) -> Problem?

    /// How a route's requests are logged and whether they are still taken while the service starts or drains.
    package enum Kind: Sendable {
        /// Data: logged at info. `isWrite` says whether problem answers made by the server carry `applied`.
        case data(isWrite: Bool)
        /// Health probes and scrapes: logged at debug, answered in every state.
        case probe
        /// The operators' documents and actions: logged at info, answered in every state.
        case admin
    }

    package let path: String
    /// The value of the `handler` label in metrics and of `handler` in access lines.
    package let handler: String
    package let kind: Kind
    /// The largest body taken, in bytes; larger ones are answered 413 with code `body_too_large` before they are read.
    package let bodyLimitBytes: Int
    /// What the fields and the length of a body say is wrong with it, within ``bodyLimitBytes``. Asked for clients that
    /// wait for a word before they send the body; others are told when it has come.
    package let bodyRefusal: BodyRefusal?
    package let actions: [(method: RequestMethod, action: Action)]

    package init(
        path: String,
        handler: String,
        kind: Kind,
        bodyLimitBytes: Int = 0,
        bodyRefusal: BodyRefusal? = nil,
        actions: [(method: RequestMethod, action: Action)]
    ) {
        self.path = path
        self.handler = handler
        self.kind = kind
        self.bodyLimitBytes = bodyLimitBytes
        self.bodyRefusal = bodyRefusal
        self.actions = actions
    }
}
