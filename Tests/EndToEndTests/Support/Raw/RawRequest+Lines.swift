/// Lines and their ends, and the first line.
extension RawRequest {
    /// A get with something else in place of its first line.
    private static func first(_ line: String) -> String { "\(line)\r\nHost: a\r\nX-Request-Id: {id}\r\n\r\n" }

    private static func field(_ lines: String) -> String {
        "GET /api/get?key={key} HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n"
    }

    static let lines: [RawRequest] = [
        refused("a line feed alone after the first line", "GET /api/get?key={key} HTTP/1.1\nHost: a\r\n\r\n"),
        refused("a line feed alone after a field", "GET /api/get?key={key} HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
        refused("a line feed alone at the end", "GET /api/get?key={key} HTTP/1.1\r\nHost: a\r\n\n", 400, .byByte),
        refused("line feeds only", "GET /api/get?key={key} HTTP/1.1\nHost: a\n\n"),
        refused("a line feed first", "\nGET /api/get?key={key} HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused("a carriage return between fields", field("X: a\rY: b")),
        refused("a carriage return at the end", "GET /api/get?key={key} HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n"),
        refused("two carriage returns", "GET /api/get?key={key} HTTP/1.1\r\nHost: a\r\r\n\r\n"),
        refused("a carriage return first", "\rGET /api/get?key={key} HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused("a NUL in a value", field("X: a\0b")),
        refused("a NUL in a name", field("X\0Y: b")),
        refused("a NUL in the target", first("GET /api/get?key=\0{key} HTTP/1.1")),
        refused("a NUL in the method", first("GE\0T /api/get?key={key} HTTP/1.1")),
        refused("a control character in a value", field("X: a\u{01}b")),
        refused("a form feed before a value", field("X:\u{0C}b")),
        refused("a delete character in a value", field("X: a\u{7F}b")),
        refused("a field continued on the next line", field("X: a\r\n b"), 400, .byByte),
        refused("a field continued by a tab", field("X: a\r\n\tb")),
        refused("a first field that begins with a blank", "GET /api/get?key={key} HTTP/1.1\r\n Host: a\r\n\r\n"),
        refused("a field without a colon", field("no colon")),
        refused("a field without a name", field(": b")),
        refused("a colon alone", field(":")),
        refused("a name with a blank", field("X Y: b")),
        refused("a tab before the colon", field("X\t: b")),
        refused("a name in parentheses", field("(X): b")),
        refused("a name that is not ASCII", field("X\u{E9}: b")),
        refused("a byte order mark first", "\u{EF}\u{BB}\u{BF}GET /api/get?key={key} HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(
            "110,000 empty lines",
            String(repeating: "\r\n", count: 110_000) + get(), 431),
        passed("empty lines first", "\r\n\r\n\r\n" + get(), .get(), .byByte),
        passed("an empty value", get("X-Empty:"), .get()),
        passed("a tab and bytes above ASCII in a value", get("X-Other: a\tb\u{E9}\u{FF}"), .get()),
        passed("a name of punctuation", get("!#$%&'*+-.^_`|~: b"), .get()),
    ]

    static let requestLines: [RawRequest] = [
        refused("two blanks in the first line", first("GET  /api/get?key={key} HTTP/1.1")),
        refused("a tab in the first line", first("GET\t/api/get?key={key} HTTP/1.1")),
        refused("a blank behind the version", first("GET /api/get?key={key} HTTP/1.1 ")),
        refused("a blank before the method", first(" GET /api/get?key={key} HTTP/1.1")),
        refused("a blank in the target", first("GET /api/get?key={key} a HTTP/1.1")),
        refused("no target", first("GET HTTP/1.1")),
        refused("no version", first("GET /api/get?key={key}")),
        refused("HTTP/0.9", "GET /api/get?key={key}\r\n\r\n"),
        refused("HTTP/1.2", first("GET /api/get?key={key} HTTP/1.2"), 505),
        refused("HTTP/2.0", first("GET /api/get?key={key} HTTP/2.0"), 505),
        refused("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        refused("a version of more digits", first("GET /api/get?key={key} HTTP/1.10")),
        refused("a version of one number", first("GET /api/get?key={key} HTTP/1")),
        refused("a version in other letters", first("GET /api/get?key={key} http/1.1")),
        refused("a version with a blank", first("GET /api/get?key={key} HTTP/ 1.1")),
        refused("another protocol", first("GET /api/get?key={key} RTSP/1.0")),
        refused("a method in other letters", first("get /api/get?key={key} HTTP/1.1"), 501),
        refused("a method with a colon", first("GET: /api/get?key={key} HTTP/1.1")),
        refused("a method with a letter more", first("GETX /api/get?key={key} HTTP/1.1"), 501),
        refused("an unknown method", first("BREW /api/get?key={key} HTTP/1.1"), 501),
        refused("a method of 25 letters", first(String(repeating: "A", count: 25) + " /api/get?key={key} HTTP/1.1")),
        refused("CONNECT", first("CONNECT a:80 HTTP/1.1"), 501),
        refused("a TLS hello", "\u{16}\u{03}\u{01}\u{02}\0\u{01}\0\u{01}\u{FC}"),
        refused("a banner of SSH", "SSH-2.0-x\r\n"),
        answered("TRACE", first("TRACE /api/get?key={key} HTTP/1.1"), 405),
        answered("PATCH", first("PATCH /api/set?key={key} HTTP/1.1"), 405),
        answered("a delete of the path of sets", first("DELETE /api/set?key={key} HTTP/1.1"), 405),
        answered("a get of the path of deletes", first("GET /api/delete?key={key} HTTP/1.1"), 405),
        answered("OPTIONS of the server", first("OPTIONS * HTTP/1.1"), 204),
        answered("OPTIONS of a path", first("OPTIONS /api/set HTTP/1.1"), 204),
        passed("a field that names another method", get("X-HTTP-Method-Override: DELETE"), .get()),
    ]

    static let hosts: [RawRequest] = [
        refused("no Host", "GET /api/get?key={key} HTTP/1.1\r\n\r\n"),
        refused("the same Host twice", "GET /api/get?key={key} HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        refused("two hosts", "GET /api/get?key={key} HTTP/1.1\r\nHost: a\r\nX: y\r\nHost: b\r\n\r\n", 400, .byByte),
        refused("an empty Host and another", "GET /api/get?key={key} HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n"),
        refused("a Host with a user", "GET /api/get?key={key} HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        refused("a Host with a path", "GET /api/get?key={key} HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        refused("a Host with a query", "GET /api/get?key={key} HTTP/1.1\r\nHost: a?b\r\n\r\n"),
        refused("a list of hosts", "GET /api/get?key={key} HTTP/1.1\r\nHost: a, b\r\n\r\n"),
        refused("a Host with a blank", "GET /api/get?key={key} HTTP/1.1\r\nHost: a b\r\n\r\n"),
        refused("a Host that is not ASCII", "GET /api/get?key={key} HTTP/1.1\r\nHost: \u{E9}\r\n\r\n"),
        passed("a Host that is an address", "GET /api/get?key={key} HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", .get()),
        passed("an empty Host", "GET /api/get?key={key} HTTP/1.1\r\nHost:\r\n\r\n", .get()),
        last("no Host in HTTP/1.0", "GET /api/get?key={key} HTTP/1.0\r\n\r\n", .get()),
    ]
}
