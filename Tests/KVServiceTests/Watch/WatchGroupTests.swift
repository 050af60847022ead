import Testing

@testable import HTTPServing
@testable import KVService
@testable import KeyValueHTTP
@testable import KeyValueStore

@Suite("What a group of watchers gets", .timeLimit(.minutes(1)))
struct WatchGroupTests {
    /// Two transactions, one of three changes.
    private let history: ChangeHistory = {
        let history = ChangeHistory(limitBytes: 1 << 16)
        let index = Index()
        index.history = history
        var revision: UInt64 = 0
        func set(_ key: String, _ value: String) {
            revision += 1
            let entry = Entry.make(
                key: Array(key.utf8), value: Array(value.utf8), expiresAt: key == "a2" ? 1_800_000_000_000 : 0)
            entry.revision = revision
            history.set(entry)
            _ = index.set(entry)
        }
        set("a1", "x")
        history.endTransaction()
        set("a2", "y")
        set("b", "z")
        revision += 1
        Array("a1".utf8).withUnsafeBytes {
            history.delete($0, revision: revision, isExpiry: true)
            _ = index.remove($0)
        }
        history.endTransaction()
        history.publish(revision: revision)
        return history
    }()

    private func text(_ query: String) throws -> (text: String, events: Int) {
        var groups = WatchGroups()
        let group = groups.group(of: try WatchRequest(query: query, lastEventIDs: []).selection)
        guard case .at(var position) = self.history.position(after: 0) else { return ("", 0) }
        _ = self.history.read(&position) { transaction in
            transaction.forEachChange { change in
                groups.forEach(of: change.key) { $0.append(change, of: transaction.revision) }
            }
            if group.isOpen { _ = group.endTransaction() }
            return true
        }
        let events = group.eventCount
        return (String(decoding: group.takeEvents().body, as: UTF8.self), events)
    }

    @Test func `is a transaction as one event, with what belongs to the group`() throws {
        let (text, events) = try self.text("prefix=a&previous=true")
        #expect(events == 2)
        #expect(
            text == """
                id: 1
                event: change
                data: {"revision":1,"changes":[{"type":"set","key":"a1","value":"x","revision":1}]}

                id: 4
                event: change
                data: {"revision":4,"changes":[{"type":"set","key":"a2","value":"y","revision":2,"expires_at":1800000000000},\
                {"type":"delete","key":"a1","revision":4,"expired":true,"previous":{"value":"x","revision":1}}]}


                """)
    }

    @Test func `has the id of the whole transaction, so that nobody resumes within it`() throws {
        let (text, events) = try self.text("key=b")
        #expect(events == 1)
        #expect(
            text.hasPrefix("id: 4\nevent: change\ndata: {\"revision\":4,\"changes\":[{\"type\":\"set\",\"key\":\"b\""))
        #expect(text.contains("\"revision\":3}]}\n\n"))
    }

    @Test func `is only the rest of a transaction if the client asks for that, and what the hub has read`() throws {
        var groups = WatchGroups()
        let group = groups.group(of: try WatchRequest(query: nil, lastEventIDs: []).selection)
        guard case .at(let begin) = self.history.position(after: 2) else {
            Issue.record("the second transaction is there")
            return
        }
        let rest = WatchSection(of: group, from: begin, after: 2, upTo: 4, self.history)
        let text = String(decoding: rest.piece?.body ?? [], as: UTF8.self)
        #expect(rest.events == 1 && rest.end == nil && !rest.isLost)
        #expect(text.hasPrefix("id: 4\n") && !text.contains(#""revision":2"#) && text.contains(#""revision":3"#))
        let nothing = WatchSection(of: group, from: begin, after: 2, upTo: 1, self.history)
        #expect(nothing.piece == nil && nothing.events == 0 && nothing.end == nil)
    }
}
