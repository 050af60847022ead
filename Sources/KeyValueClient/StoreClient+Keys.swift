extension StoreClient {
    /// The keys of a range, page by page. Each page is of one state of the store; the next one is of a later state.
    ///
    /// - Parameters:
    ///   - reverse: from the last key to the first.
    ///   - values: with the values of the keys.
    ///   - pageSize: keys of a page, 1 to 1,000.
    ///   - cursor: of an earlier page of the same range and direction: begins behind that one.
    public func keys(
        _ range: KeyRange = .all, reverse: Bool = false, values: Bool = false, pageSize: Int = 1_000,
        after cursor: String? = nil
    ) -> KeyPages {
        var call = Call(method: .get, operation: "keys")
        call.parameters = range.parameters.map { (name: $0.0, value: $0.1) }
        call.parameters.append(("limit", Array("\(pageSize)".utf8)))
        if reverse { call.parameters.append(("reverse", Array("true".utf8))) }
        if values { call.parameters.append(("values", Array("true".utf8))) }
        return KeyPages(client: self, call: call, cursor: cursor)
    }

    /// How many keys a range has, at no more cost for many than for few.
    public func count(_ range: KeyRange = .all) async throws -> KeyCount {
        var call = Call(method: .get, operation: "keys")
        call.parameters = range.parameters.map { (name: $0.0, value: $0.1) }
        call.parameters += [("limit", Array("1".utf8)), ("count", Array("true".utf8))]
        return try await self.perform(call).document(KeyCount.init)
    }
}

/// Pages of keys. Each iteration begins anew.
public struct KeyPages: AsyncSequence, Sendable {
    public typealias Element = KeyPage

    fileprivate let client: StoreClient
    fileprivate let call: Call
    fileprivate let cursor: String?

    public func makeAsyncIterator() -> Iterator { Iterator(pages: self, cursor: self.cursor) }

    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let pages: KeyPages
        fileprivate var cursor: String?
        fileprivate var isAtEnd = false

        fileprivate init(pages: KeyPages, cursor: String?) {
            self.pages = pages
            self.cursor = cursor
        }

        /// - Throws: as all operations; the iteration can be continued with the cursor of the page before.
        public mutating func next() async throws -> KeyPage? {
            if self.isAtEnd { return nil }
            var call = self.pages.call
            if let cursor = self.cursor { call.parameters.append(("cursor", Array(cursor.utf8))) }
            let page = try await self.pages.client.perform(call).document(KeyPage.init)
            self.cursor = page.cursor
            self.isAtEnd = page.cursor == nil
            return page
        }
    }
}
