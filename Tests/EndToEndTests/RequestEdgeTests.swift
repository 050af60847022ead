import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("What both services make of a request's edges", .timeLimit(.minutes(10)))
    struct RequestEdgeTests {
        /// Requests to the server as a whole have a series from the start too.
        @Test func `OPTIONS of no path is answered by both services`() throws {
            let services = try Services()
            for front in Front.allCases {
                let port = front == .kvService ? services.kvPort : services.gatewayPort
                let request = "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                let answer = try HTTPConnection(port: port).exchangeToEnd(Array(request.utf8))
                #expect(String(decoding: answer, as: UTF8.self).hasPrefix("HTTP/1.1 204 "), "\(front)")
                #expect(try HTTPConnection(port: port).request("GET", "/livez").status == 200, "\(front)")
            }
        }

        @Test func `a write under another condition than a tag is refused by the service that it was sent to`() throws {
            let services = try Services()
            for front in Front.allCases {
                let client = try KeyValueClient(services, through: front)
                let tag = try #require(try client.set([1], [1])["ETag"])
                for (name, value) in [
                    ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"), ("If-Range", tag),
                    ("Content-Range", "bytes 0-1/2"),
                ] {
                    for write in [
                        try client.set([1], [2], headers: [(name, value)]),
                        try client.setJSON(#"{"key":"\u0001","value":"2"}"#, headers: [(name, value)]),
                        try client.delete([1], headers: [(name, value)]),
                    ] {
                        #expect(write.status == 400, "\(name): \(write.text)")
                        #expect(try write.json.string("code") == "precondition_not_supported")
                        #expect(try write.json.string("applied") == "no")
                        #expect(try write.json.string("detail")?.contains(name) == true)
                    }
                    #expect(try client.get([1], headers: [(name, value)]).status == 200)
                }
                #expect(try client.get([1], headers: [("If-Match", "\"0\"")]).status == 200)
                #expect(try client.getRaw([1]).body == [1])
            }
            // The gateway's own answer: kv-service received none of its writes.
            let seen = services.kv.log.filter { $0.string("code") == "precondition_not_supported" }
            #expect(seen.count == 9)
        }

        @Test(arguments: Front.allCases)
        func `a plus in a query is a plus`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            let path = "/\(front.rawValue)"
            let raw = [("Content-Type", "application/octet-stream")]
            #expect(try client.connection.request("PUT", "\(path)/set?key=a+b", headers: raw, body: [1]).status == 200)
            #expect(try client.getRaw(Array("a+b".utf8)).body == [1])
            #expect(try client.get(Array("a b".utf8)).status == 404)
            #expect(try client.connection.request("GET", "\(path)/get?key=a%2Bb").status == 200)
            #expect(try client.connection.request("DELETE", "\(path)/delete?key=a+b").json.bool("deleted") == true)
        }

        @Test func `every answer that is JSON ends with a line end`() throws {
            let services = try Services()
            for front in Front.allCases {
                let client = try KeyValueClient(services, through: front)
                var answers = [
                    try client.set([1], [1]), try client.get([1]), try client.get([2]), try client.delete([1]),
                    try client.delete([1]), try client.setJSON("{"),
                ]
                for path in [
                    "/", "/health", "/livez", "/readyz", "/admin", "/admin/config", "/admin/events", "/admin/slow",
                    "/admin/log-level", "/admin/read-only", "/admin/drain", "/nowhere", "/admin?x=1",
                ] {
                    answers.append(try client.connection.request("GET", path))
                }
                for answer in answers {
                    #expect(answer["Content-Type"]?.hasSuffix("json") == true, "\(answer.text)")
                    #expect(answer.body.last == UInt8(ascii: "\n"), "\(answer.text)")
                    #expect(answer.body.count { $0 == UInt8(ascii: "\n") } == 1, "\(answer.text)")
                }
            }
        }

        @Test(arguments: Front.allCases)
        func `a type that is not taken is answered with those that are`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            let both = "application/json, application/octet-stream"
            for (method, type, accept) in [
                ("POST", "text/plain", both), ("PUT", "application/json", "application/octet-stream"),
            ] {
                let answer = try client.connection.request(
                    method, "/\(front.rawValue)/set?key=a", headers: [("Content-Type", type)], body: [1])
                #expect(answer.status == 415)
                #expect(answer["Accept"] == accept)
                #expect(answer["Accept-Post"] == both)
                let detail = try answer.json.string("detail") ?? ""
                #expect(detail.contains("application/json") && detail.contains("application/octet-stream"))
            }
            let coded = try client.connection.request(
                "POST", "/\(front.rawValue)/set?key=a",
                headers: [("Content-Type", "application/octet-stream"), ("Content-Encoding", "gzip")], body: [1])
            #expect(coded.status == 415 && coded["Accept-Encoding"] == "identity")
        }

        @Test func `the root names what there is, on each address what is there`() throws {
            let services = try Services(kvArguments: ["--admin-listen", "127.0.0.1:0"])
            let address = try #require(try services.kv.waitForLog("listening").string("admin_address"))
            let adminPort = try #require(address.split(separator: ":").last.flatMap { UInt16($0) })
            for (port, service, there, notThere) in [
                (services.kvPort, "kv-service", ["/kv/set", "/kv/get", "/kv/delete", "/readyz"], "/admin"),
                (adminPort, "kv-service", ["/admin", "/admin/compact", "/metrics", "/readyz"], "/kv/set"),
                (services.gatewayPort, "api-gateway", ["/api/set", "/admin", "/metrics"], "/kv/set"),
            ] {
                let connection = try HTTPConnection(port: port)
                let index = try connection.request("GET", "/")
                #expect(index.status == 200)
                #expect(try index.json.string("service") == service)
                let endpoints = try #require(try index.json.members["endpoints"] as? [[String: Any]])
                let methods = Dictionary(
                    uniqueKeysWithValues: endpoints.map {
                        ($0["path"] as? String ?? "", $0["methods"] as? [String] ?? [])
                    })
                for path in there { #expect(methods[path] != nil, "\(path)") }
                #expect(methods[notThere] == nil)
                for (path, methods) in methods where methods.contains("GET") {
                    // A watch does not end.
                    let target = path.hasSuffix("/watch") ? path + "?mode=poll&wait_ms=0" : path
                    // A backup is the last answer of its connection.
                    let status = try HTTPConnection(port: port).request("GET", target).status
                    #expect(status != 404 || path.hasSuffix("/get"), "\(path)")
                }
            }
        }

        @Test func `a write that is late before the gateway has it goes no further`() throws {
            let services = try Services()
            let late = [("X-Request-Timeout-Ms", "0")]
            for door in [Front.kvService, .apiGateway] {
                let client = try KeyValueClient(services, through: door)
                #expect(try client.set([1], [1]).status == 200)
                for refused in [try client.set([1], [2], headers: late), try client.delete([1], headers: late)] {
                    #expect(refused.status == 504, "\(refused.text)")
                    #expect(try refused.json.string("code") == "deadline_exceeded")
                    #expect(try refused.json.string("applied") == "no")
                }
                #expect(try client.get([1]).status == 200)
            }
        }

        /// kv-service finds requests in its sockets that arrived while it was stopped, and knows how long they waited.
        @Test func `a write that waited in the socket beyond its time is dropped, and one in time is not`() throws {
            let services = try Services(withGateway: false)
            let client = try KeyValueClient(services, through: .kvService)
            #expect(try client.set([1], [1], headers: [("X-Request-Timeout-Ms", "60000")]).status == 200)
            let late = try KeyValueClient(services, through: .kvService)
            let inTime = try KeyValueClient(services, through: .kvService)
            func request(_ key: Int, milliseconds: Int) -> [UInt8] {
                Array(
                    ("PUT /kv/set?key=\(key) HTTP/1.1\r\nHost: t\r\nX-Request-Timeout-Ms: \(milliseconds)\r\n"
                        + "Content-Type: application/octet-stream\r\nContent-Length: 1\r\n\r\nx").utf8)
            }
            try services.kv.child.pause()
            defer { services.kv.child.signal(SIGCONT) }
            let sent = ContinuousClock.now
            try late.connection.send(request(7, milliseconds: 100))
            try inTime.connection.send(request(8, milliseconds: 60_000))
            _ = try Poll.until("the time of the first is over") {
                ContinuousClock.now - sent > .milliseconds(200) ? true : nil
            }
            services.kv.child.signal(SIGCONT)
            let refused = try late.connection.receive()
            #expect(refused.status == 504, "\(refused.text)")
            #expect(try refused.json.string("code") == "deadline_exceeded")
            #expect(try refused.json.string("applied") == "no")
            #expect(try inTime.connection.receive().status == 200)
            #expect(try client.get(Array("7".utf8)).status == 404)
            #expect(try client.get(Array("8".utf8)).status == 200)
            #expect(try client.delete(Array("8".utf8), headers: [("X-Request-Timeout-Ms", "0")]).status == 504)
            #expect(try client.get(Array("8".utf8)).status == 200)
        }
    }
}
