/// JSON that parsers read differently.
extension RawRequest {
    private static func typed(_ type: String) -> String {
        "POST /api/set HTTP/1.1\r\nHost: a\r\nContent-Type: \(type)\r\nContent-Length: 27\r\n\r\n"
            + #"{"key":"{key}","value":"x"}"#
    }

    private static let increment = Reach(method: "POST", path: "/kv/incr", value: "1")

    static let bodies: [RawRequest] = [
        answered("a member twice", json("set", #"{"key":"{key}","key":"b","value":"x"}"#), 400),
        answered(
            "a member twice, once with an escape", json("set", #"{"key":"{key}","\u006bey":"b","value":"x"}"#), 400),
        answered("a key in two forms", json("set", #"{"key":"{key}","key_b64":"eA==","value":"x"}"#), 400),
        answered("an unknown member", json("set", #"{"key":"{key}","value":"x","Key":"b"}"#), 400),
        answered("bytes behind the document", json("set", #"{"key":"{key}","value":"x"}{}"#), 400),
        answered("a NUL behind the document", json("set", #"{"key":"{key}","value":"x"}"# + "\0"), 400),
        answered(
            "a byte order mark before the document",
            json("set", "\u{EF}\u{BB}\u{BF}" + #"{"key":"{key}","value":"x"}"#), 400),
        answered("a comment", json("set", #"{"key":"{key}",/* */"value":"x"}"#), 400),
        answered("a line feed in a text", json("set", #"{"key":"{key}","value":""# + "\n\"}"), 400),
        answered("half of a surrogate pair", json("set", #"{"key":"{key}\ud800","value":"x"}"#), 400),
        answered("a text that is not UTF-8", json("set", #"{"key":"{key}","value":""# + "\u{FF}\"}"), 400),
        answered("a number as a key", json("set", #"{"key":1,"value":"x"}"#), 400),
        answered("Base64 without its end", json("set", #"{"key_b64":"eA","value":"x"}"#), 400),
        answered("10,000 brackets", json("set", String(repeating: "[", count: 10_000)), 400),
        answered("a document and a query", json("set?key={key}", #"{"key":"{key}","value":"x"}"#), 400),
        answered(
            "a condition in the field and in the document",
            json("set", #"{"key":"{key}","value":"x","if_absent":true}"#, "If-None-Match: *"), 400),
        passed(
            "escapes in a document", json("set", #"{"value":"\u0078","\u006bey":"{key}\u0000\""}"#),
            .set(key: "{key}\0\"")),
        answered("a type in another charset", typed("application/json; charset=utf-16"), 415),
        answered("a list of types", typed("application/json, application/octet-stream"), 415),
        answered("a type of forms", typed("application/x-www-form-urlencoded"), 415),
        passed(
            "a type in other letters with a charset", typed("Application/JSON;Charset=\"UTF-8\""), .set()),
        answered("a number with an exponent", json("incr", #"{"key":"{key}","delta":1e0}"#), 400),
        answered("a number beyond 64 bits", json("incr", #"{"key":"{key}","delta":9223372036854775808}"#), 400),
        answered("a delta twice", json("incr", #"{"key":"{key}","delta":1,"delta":2}"#), 400),
        passed("an increment", json("incr", #"{"key":"{key}"}"#), increment),
        answered(
            "an operation with a member twice",
            json("txn", #"{"operations":[{"op":"set","op":"delete","key":"{key}","value":"x"}]}"#), 400),
        answered(
            "operations twice", json("txn", #"{"operations":[{"op":"delete","key":"{key}"}],"operations":[]}"#), 400),
    ]
}
