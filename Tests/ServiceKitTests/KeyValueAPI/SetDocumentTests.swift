import JSON
import TestSupport
import Testing

@testable import HTTP1
@testable import HTTPServing
@testable import KeyValueHTTP

/// A set's JSON is read where it lies; the general reader of objects says what it means.
@Suite(.timeLimit(.minutes(1)))
struct SetDocumentTests {
    private enum Read: Equatable {
        case set(key: [UInt8], value: [UInt8], Precondition, RequestedExpiry)
        case refused(String, String)
    }

    private func read(_ body: [UInt8]) -> Read {
        var read: Read?
        do throws(Problem) {
            try body.withUnsafeBufferPointer { (body) throws(Problem) in
                try SetDocument.read(body) { (key, value, precondition, expiry) throws(Problem) in
                    read = .set(key: Array(key), value: Array(value), precondition, expiry)
                }
            }
        } catch {
            return .refused(error.code, error.detail)
        }
        return read ?? .refused("nothing", "")
    }

    /// The same by the general reader.
    private func expected(_ body: [UInt8]) -> Read {
        let object: FlatJSONObject
        do throws(JSONSyntaxError) {
            object = try FlatJSONObject(parsing: body, maxMembers: 8)
        } catch {
            return .refused("not_json", "The body is not the expected JSON: \(error.reason) at byte \(error.offset).")
        }
        let known = ["key", "key_b64", "value", "value_b64", "if_revision", "if_absent", "ttl_ms", "expires_at"]
        if object.names.contains(where: { !known.contains($0) }) {
            return .refused(
                "bad_json",
                "The JSON has an unknown member; allowed are key or key_b64, value or value_b64, if_revision or "
                    + "if_absent, and ttl_ms or expires_at.")
        }
        let precondition: Precondition
        switch (object["if_revision"], object["if_absent"]) {
        case (nil, nil): precondition = .none
        case (nil, .bool(true)?): precondition = .absent
        case (.number(let digits)?, nil) where UInt64(digits).map { $0 > 0 && String($0) == digits } == true:
            precondition = .revision(UInt64(digits) ?? 0)
        case (.some, .some):
            return .refused(
                "bad_precondition", "A write has at most one condition; send if_revision or if_absent, not both.")
        case (.some, nil):
            return .refused(
                "bad_precondition",
                "if_revision must be a revision: a number of digits alone, from 1 to 18446744073709551615.")
        case (nil, .some):
            return .refused(
                "bad_precondition", "if_absent must be true; leave it out for a set without a condition.")
        }
        let expiry: RequestedExpiry
        do throws(Problem) { expiry = try self.expiry(object) } catch { return .refused(error.code, error.detail) }
        var fields: [[UInt8]] = []
        for name in ["key", "value"] {
            switch (object[name], object[name + "_b64"]) {
            case (nil, nil): return .refused("\(name)_missing", "The JSON has neither \(name) nor \(name)_b64.")
            case (.some, .some): return .refused("bad_json", "The JSON has both \(name) and \(name)_b64; send one.")
            case (.string(let text)?, nil): fields.append(text)
            case (nil, .string(let text)?):
                guard let bytes = Base64.decode(text) else {
                    return .refused("bad_json", "\(name)_b64 is not Base64 (standard alphabet, with padding).")
                }
                fields.append(bytes)
            case (.some, nil): return .refused("bad_json", "\(name) is not a string.")
            case (nil, .some): return .refused("bad_json", "\(name)_b64 is not a string.")
            }
        }
        return .set(key: fields[0], value: fields[1], precondition, expiry)
    }

    private func expiry(_ object: FlatJSONObject) throws(Problem) -> RequestedExpiry {
        func number(_ name: String, to limit: UInt64) -> UInt64? {
            guard case .number(let digits)? = object[name], let number = UInt64(digits), String(number) == digits,
                1...limit ~= number
            else { return nil }
            return number
        }
        switch (object["ttl_ms"], object["expires_at"]) {
        case (nil, nil): return .never
        case (.some, .some):
            throw RequestedExpiry.bad("A key has one expiry time; send ttl_ms or expires_at, not both.")
        case (.number?, _):
            guard let ttl = number("ttl_ms", to: 3_155_760_000_000) else {
                throw RequestedExpiry.bad("ttl_ms must be a number from 1 to 3155760000000, without a leading zero.")
            }
            return .after(milliseconds: ttl)
        case (_, .number?):
            guard let time = number("expires_at", to: 99_999_999_999_999) else {
                throw RequestedExpiry.bad(
                    "expires_at must be a time in milliseconds since 1970, from 1 to 99999999999999, without a leading "
                        + "zero.")
            }
            return .at(milliseconds: time)
        default: throw RequestedExpiry.bad("ttl_ms and expires_at are numbers.")
        }
    }

    private static let names = [
        "key", "key", "key_b64", "value", "value", "value_b64", "ke\\u0079", "other", "Key",
        "if_revision", "if_absent", "ttl_ms", "expires_at",
    ]
    private static let values = [
        #""text""#, #""""#, #""é😀""#, #""a\nb""#, #""\u00e9""#, #""\ud83d\ude00""#, #""AP8=""#, #""AP8""#, "1", "true",
        "null", "{}", "[1]", #""\ud800""#, "\"\u{1}\"", #""AAAA""#, #""""#,
        "0", "12", "1.0", "3155760000000", "3155760000001", "99999999999999", "100000000000000", "1e2", "-1",
        "18446744073709551615", "18446744073709551616", "false",
    ]

    @Test func `it is read as the general reader reads it, also when bytes are damaged`() {
        var generator = SeededGenerator(printingFor: #function)
        var outcomes: [String: Int] = [:]
        for _ in 0..<60_000 {
            var members = (0..<Int.random(in: 0...7, using: &generator)).map { _ in
                let name = Self.names.randomElement(using: &generator) ?? ""
                var value = Self.values.randomElement(using: &generator) ?? ""
                if generator.chance(0.5) {
                    let usual = ["if_revision": "12", "if_absent": "true", "ttl_ms": "12", "expires_at": "12"]
                    value = usual[name] ?? #""text""#
                }
                return "\"\(name)\"\(generator.chance(0.1) ? " " : ""):\(generator.chance(0.1) ? "\n" : "")\(value)"
            }
            if generator.chance(0.2) { members = [#""key":"k""#, #""value":"v""#] + members.prefix(1) }
            var body = Array("{\(members.joined(separator: generator.chance(0.1) ? " , " : ","))}".utf8)
            if generator.chance(0.3), !body.isEmpty {
                let index = Int.random(in: 0..<body.count, using: &generator)
                body[index] = UInt8.random(in: 0...255, using: &generator)
            }
            if generator.chance(0.1) { body.removeLast(Int.random(in: 0...body.count, using: &generator)) }
            let (read, expected) = (self.read(body), self.expected(body))
            #expect(read == expected, "\(String(decoding: body, as: UTF8.self))")
            switch read {
            case .refused(let code, _): outcomes[code, default: 0] += 1
            case .set(_, _, .none, let expiry): outcomes[expiry == .never ? "set" : "set that expires", default: 0] += 1
            case .set(_, _, .absent, _): outcomes["set if absent", default: 0] += 1
            case .set: outcomes["set if revision", default: 0] += 1
            }
        }
        for outcome in [
            "set", "set if absent", "set if revision", "set that expires", "bad_expiry", "not_json", "bad_json",
            "bad_precondition", "key_missing",
            "value_missing",
        ] {
            #expect(outcomes[outcome, default: 0] > 100, "\(outcome) hardly occurs: \(outcomes)")
        }
    }
}
