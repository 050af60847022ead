import KeyValueClient

/// The examples of the tutorial, GettingStarted.md, as a compiler sees them: each between two marks.
enum TutorialExamples {
    static func connect() async throws {
        // begin
        try await StoreClient.with("http://127.0.0.1:8080") { client in
            try await client.set("greeting", "hello")
            let value = try await client.get("greeting")
            print(value?.text ?? "there is no greeting", value?.revision ?? 0)
        }
        // end
    }

    static func claim(_ client: StoreClient) async throws {
        // begin
        do {
            try await client.set("job", "mine", if: .absent)
        } catch let error as KeyValueError where error.code == "precondition_failed" {
            print("somebody else has it, revision", error.revision ?? 0)
        }
        // end
    }

    static func change(_ client: StoreClient) async throws {
        // begin
        if let old = try await client.get("page") {
            try await client.set("page", (old.text ?? "") + "\nmore", if: .revision(old.revision))
        }
        // end
    }

    static func transact(_ client: StoreClient) async throws {
        // begin
        let result = try await client.transaction(
            [.set("orders/7", "paid"), .delete("carts/7"), .get("orders/6")],
            checks: [.value("orders/7", "open"), .present("carts/7")])
        print(result.revision, result.steps)
        // end
    }

    static func count(_ client: StoreClient) async throws {
        // begin
        let visits = try await client.increment("visits")
        try await client.set("session/1", "alice", expiry: .after(.seconds(3_600)))
        print(visits.value)
        // end
    }

    static func scan(_ client: StoreClient) async throws {
        // begin
        for try await page in client.keys(.prefix("user/"), values: true) {
            for user in page.keys { print(user.text ?? "not text", user.value?.count ?? 0) }
        }
        print(try await client.count(.prefix("user/")).count)
        // end
    }

    static func watch(_ client: StoreClient, _ revision: UInt64) async throws {
        // begin
        for try await event in client.watch(prefix: "user/", since: revision) {
            for change in event.changes { print(change.revision, change.text ?? "not text", change.kind) }
        }
        // end
    }

    static func decide(_ client: StoreClient) async throws {
        // begin
        do {
            try await client.set("balance", "100")
        } catch let error as KeyValueError {
            switch error.applied {
            case .no: print("nothing was written:", error.detail)
            case .yes: print("it was written:", error.detail)
            case .unknown, nil: print("read the key to find out:", error.detail)
            }
        }
        // end
    }
}
