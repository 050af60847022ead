import KeyValueClient
import TestSupport

extension FakeService {
    /// Calls `body` with a client of this service.
    func with<Result: Sendable>(
        _ change: (inout StoreClient.Configuration) -> Void = { _ in },
        _ body: (StoreClient) async throws -> Result
    ) async throws -> Result {
        var configuration = StoreClient.Configuration()
        change(&configuration)
        return try await StoreClient.with("http://127.0.0.1:\(self.port)", configuration: configuration, body)
    }
}

/// The error of an operation; nil if it had none, or another one.
func failure(of body: () async throws -> some Any) async -> KeyValueError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? KeyValueError
    }
}
