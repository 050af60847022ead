import JSON

extension StoreClient {
    /// The value of a key; nil if there is none.
    public func get(_ key: some StoreBytes) async throws -> StoredValue? {
        var call = Call(method: .get, operation: "get", parameters: [("key", key.storeBytes)])
        // The bytes as they are, without escapes.
        call.fields = [("Accept", "application/octet-stream")]
        let answer: Answer
        do { answer = try await self.perform(call) } catch let error as KeyValueError
            where error.code == "key_not_found"
        {
            return nil
        }
        guard let revision = answer.entityTag else { throw answer.invalid }
        return StoredValue(
            bytes: answer.body, revision: revision, expiresAt: answer["X-KV-Expires-At"].flatMap { UInt64($0) })
    }

    /// Sets a key.
    ///
    /// - Parameters:
    ///   - condition: what must be true of the key.
    ///   - expiry: nil: the key stays, whatever expiry it had.
    ///   - idempotencyKey: the write is carried out once, however often it is sent under this key. By default the client
    ///     makes one for this call.
    @discardableResult
    public func set(
        _ key: some StoreBytes, _ value: some StoreBytes, if condition: Condition? = nil, expiry: Expiry? = nil,
        idempotencyKey: String? = nil
    ) async throws -> SetResult {
        var call = Call(method: .put, operation: "set", parameters: [("key", key.storeBytes)])
        call.fields = [("Content-Type", "application/octet-stream")]
        call.body = value.storeBytes
        call.idempotencyKey = self.idempotencyKey(idempotencyKey)
        call.add(condition)
        call.add(expiry)
        return try await self.perform(call).document(SetResult.init)
    }

    /// Deletes a key.
    ///
    /// - Parameters: as of ``set(_:_:if:expiry:idempotencyKey:)``.
    /// - Returns: the revision of the change; nil if the key did not exist, which writes nothing.
    @discardableResult
    public func delete(
        _ key: some StoreBytes, if condition: Condition? = nil, idempotencyKey: String? = nil
    ) async throws -> UInt64? {
        var call = Call(method: .delete, operation: "delete", parameters: [("key", key.storeBytes)])
        call.idempotencyKey = self.idempotencyKey(idempotencyKey)
        call.add(condition)
        let answer = try await self.perform(call)
        let document = try answer.document { $0["deleted"]?.bool == nil ? nil : $0 }
        // Without a deletion there may be a revision, too: that of the store.
        guard document["deleted"]?.bool == true else { return nil }
        guard let revision = document["revision"]?.unsigned else { throw answer.invalid }
        return revision
    }

    /// Adds to the number that is the value of a key, as decimal text. A missing key counts as 0.
    ///
    /// - Parameters:
    ///   - expiry: nil: the key keeps the one it has.
    /// - Throws: with the codes `not_a_number` and `overflow`; nothing was written then.
    @discardableResult
    public func increment(
        _ key: some StoreBytes, by delta: Int64 = 1, if condition: Condition? = nil, expiry: Expiry? = nil,
        idempotencyKey: String? = nil
    ) async throws -> Counter {
        var writer = JSONWriter()
        writer.object { document in
            document.member("key", orBase64: "key_b64", key.storeBytes)
            document.member("delta", delta)
            if let (name, milliseconds) = expiry?.parameter { document.member(name: name, milliseconds) }
        }
        var call = Self.document("incr", writer.bytes)
        call.idempotencyKey = self.idempotencyKey(idempotencyKey)
        call.add(condition)
        return try await self.perform(call).document(Counter.init)
    }

    /// A call with a JSON document.
    static func document(_ operation: String, _ body: [UInt8]) -> Call {
        Call(
            method: .post, operation: operation, fields: [("Content-Type", "application/json")], body: body)
    }
}
