import JSON

extension StoreClient {
    /// The values of up to 128 keys, of one state of the store.
    public func get(several keys: [some StoreBytes]) async throws -> StoredValues {
        var writer = JSONWriter()
        writer.object { document in
            document.member(
                "keys",
                array: { array in
                    for key in keys {
                        let bytes = key.storeBytes
                        if let text = String(validating: bytes, as: UTF8.self) {
                            array.element(text)
                        } else {
                            array.element(object: { $0.member("key_b64", Base64.encode(bytes)) })
                        }
                    }
                })
        }
        return try await self.perform(Self.document("mget", writer.bytes)).document {
            StoredValues($0, count: keys.count)
        }
    }

    /// Carries out all operations or none: up to 128, checks included, and 1 MiB.
    ///
    /// - Parameters:
    ///   - idempotencyKey: as of ``set(_:_:if:expiry:idempotencyKey:)``.
    /// - Throws: with the code `checks_failed` and the ``KeyValueError/failedChecks``.
    @discardableResult
    public func transaction(
        _ operations: [Transaction.Operation], checks: [Transaction.Check] = [], idempotencyKey: String? = nil
    ) async throws -> TransactionResult {
        let body = Transaction.document(operations, checks)
        return try await self.transact(body, idempotencyKey).document { document in
            TransactionResult(document).flatMap { $0.steps.count == operations.count ? $0 : nil }
        }
    }

    /// As ``transaction(_:checks:idempotencyKey:)``, for a transaction that is JSON already.
    ///
    /// - Returns: the service's answer, a JSON document with a newline at its end.
    public func transaction(document: [UInt8], idempotencyKey: String? = nil) async throws -> [UInt8] {
        let answer = try await self.transact(document, idempotencyKey)
        return try answer.document { TransactionResult($0) == nil ? nil : answer.body }
    }

    private func transact(_ body: [UInt8], _ idempotencyKey: String?) async throws -> Answer {
        var call = Self.document("txn", body)
        call.idempotencyKey = self.idempotencyKey(idempotencyKey)
        return try await self.perform(call)
    }
}
