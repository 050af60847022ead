import AsyncHTTPClient
import NIOCore
import NIOHTTP1

extension StoreClient {
    /// Begins a backup: a consistent copy of the whole store, as a tar archive with the digests of its files at its end. The
    /// client must be one of a kv-service: a gateway has no data. The timeout is for the begin, not for the copy.
    ///
    /// - Parameter token: the service's admin token; nil if it needs none, or has access keys: then the client's own must have
    ///   the role `admin`.
    /// - Throws: ``KeyValueError``: `backup_running` if there is another one, `unauthorized` or `forbidden`,
    ///   ``KeyValueError/notAKVService`` for a gateway.
    public func backup(token: String? = nil) async throws -> Backup {
        let deadline = Deadline(after: self.configuration.timeout)
        var call = Call(method: .get, root: "/admin/backup")
        if let token { call.fields.append(("Authorization", "Bearer \(token)")) }
        let response = try await self.transport.stream(call, basePath: "", deadline: deadline)
        guard response.status == .ok else {
            let body = try await response.body.collect(upTo: 65_536)
            let answer = Answer(
                status: Int(response.status.code), fields: response.headers, body: Array(body.readableBytesView))
            if answer.status == 404 {
                throw KeyValueError(
                    code: KeyValueError.notAKVService,
                    detail: "There is no /admin/backup at \(self.transport.address). A backup comes from a kv-service, "
                        + "at its --admin-listen if it has one.")
            }
            throw KeyValueError(answer, to: call)
        }
        guard let storeID = response.headers.first(name: "X-KV-Store"),
            let revision = response.headers.first(name: "X-KV-Revision").flatMap({ UInt64($0) }),
            let bytes = response.headers.first(name: "Content-Length").flatMap({ UInt64($0) })
        else {
            throw KeyValueError(
                code: KeyValueError.invalidAnswer, detail: "The answer is not a backup of a kv-service.")
        }
        return Backup(storeID: storeID, revision: revision, bytes: bytes, body: response.body)
    }
}

/// A backup on its way: its pieces, which can be read once.
public struct Backup: AsyncSequence, Sendable {
    public typealias Element = [UInt8]

    public let storeID: String
    /// All changes up to this one are in it, and no later ones.
    public let revision: UInt64
    /// Of all pieces.
    public let bytes: UInt64
    fileprivate let body: HTTPClientResponse.Body

    public func makeAsyncIterator() -> Iterator { Iterator(body: self.body.makeAsyncIterator()) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var body: HTTPClientResponse.Body.AsyncIterator

        /// - Throws: ``KeyValueError/connectionLost`` if the rest does not come.
        public mutating func next() async throws -> [UInt8]? {
            do { return try await self.body.next().map { Array($0.readableBytesView) } } catch {
                if Task.isCancelled { throw CancellationError() }
                throw KeyValueError(
                    code: KeyValueError.connectionLost,
                    detail: "The backup is not complete: \(error). The service's /admin says why, if it knows.")
            }
        }
    }
}
