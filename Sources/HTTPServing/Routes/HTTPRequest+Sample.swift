public import AccessControl
public import HTTP1
public import NIOCore
import RequestTracing

extension HTTPRequest {
    /// A request that has arrived completely, without a connection: for tests of actions.
    ///
    /// - Parameters:
    ///   - target: as it is in the request line.
    ///   - access: whose access key it has.
    ///   - deliver: takes the answer.
    public convenience init(
        sample method: RequestMethod,
        target: String,
        fields: [(name: String, value: String)] = [],
        body: ByteBuffer = ByteBuffer(),
        identity: RequestIdentity,
        isLoopback: Bool = true,
        deadlineNanoseconds: UInt64? = nil,
        access: AccessEntry? = nil,
        eventLoop: any EventLoop,
        deliver: @escaping (HTTPResponse, HTTPRequest) -> Void = { _, _ in }
    ) {
        self.init(eventLoop: eventLoop, client: ConnectionClient(isLoopback: isLoopback))
        if let access { self.client.set(access) }
        let lines = fields.map { "\($0.name): \($0.value)\r\n" }.joined()
        let reader = RequestReader(limits: HeadScanner.Limits())
        _ = reader.append(ByteBuffer(string: "\(method.name) \(target) HTTP/1.1\r\n\(lines)\r\n"))
        guard case .complete(let head) = reader.nextHead() else { preconditionFailure("the sample is not a request") }
        let bytes = head.bytes
        guard let target = try? RequestTarget(parsing: bytes.readableBytesUInt8Span, head.target) else {
            preconditionFailure("the sample has no valid target")
        }
        self.begin(now: 0)
        self.head = head
        self.readFields(of: bytes.readableBytesUInt8Span)
        self.target = target
        self.identity = identity
        self.deadlineNanoseconds = deadlineNanoseconds
        self.body = body
        self.bodyBytes = body.readableBytes
        self.destination = .closure { response, request in
            request.isCurrent = false
            deliver(response, request)
        }
    }
}
