import HTTP1
import JSON
import NIOHTTP1
import TestSupport
import Testing

@testable import KeyValueHTTP

@Suite("Requests with a JSON body", .timeLimit(.minutes(1)))
struct BodyRequestTests {
    private let limits = KeyValueLimits(maxKeyBytes: 8, maxValueBytes: 16)

    private func transaction(_ body: String) throws(Problem) -> TransactionRequest {
        try TransactionRequest(Array(body.utf8).span, limits: self.limits)
    }

    private func code(_ read: () throws(Problem) -> Void) -> String? {
        do throws(Problem) { try read() } catch { return error.code }
        return nil
    }

    private func key(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func `a transaction has its checks and operations in their order`() throws {
        let request = try self.transaction(
            #"""
            {"checks":[{"key":"a","revision":5},{"key_b64":"AP8=","absent":true},{"present":true,"key":"c"},
             {"key":"d","value":""},{"key":"e","value_b64":"/w=="}],
             "operations":[{"op":"set","key":"a","value":"1","ttl_ms":1000},{"key":"b","op":"delete"},
             {"op":"get","key_b64":"AP8="},{"op":"set","key":"a","value_b64":"","expires_at":7}]}
            """#)
        #expect(
            request.checks == [
                .init(key: self.key("a"), condition: .revision(5)), .init(key: [0, 255], condition: .absent),
                .init(key: self.key("c"), condition: .present), .init(key: self.key("d"), condition: .value([])),
                .init(key: self.key("e"), condition: .value([255])),
            ])
        #expect(
            request.operations == [
                .set(key: self.key("a"), value: self.key("1"), .after(milliseconds: 1000)),
                .delete(key: self.key("b")), .get(key: [0, 255]),
                .set(key: self.key("a"), value: [], .at(milliseconds: 7)),
            ])
    }

    @Test func `up to 128 checks and operations are taken together`() throws {
        let check = #"{"key":"a","absent":true}"#
        let operation = #"{"op":"get","key":"a"}"#
        func body(_ checks: Int, _ operations: Int) -> String {
            let checks = Array(repeating: check, count: checks).joined(separator: ",")
            let operations = Array(repeating: operation, count: operations).joined(separator: ",")
            return #"{"checks":[\#(checks)],"operations":[\#(operations)]}"#
        }
        for (checks, operations) in [(0, 128), (127, 1), (64, 64)] {
            #expect(try self.transaction(body(checks, operations)).operations.count == operations)
        }
        for (checks, operations) in [(0, 129), (128, 1), (128, 0), (0, 0)] {
            let code = self.code { () throws(Problem) in _ = try self.transaction(body(checks, operations)) }
            #expect(code == "bad_transaction")
        }
    }

    @Test(
        arguments: [
            ("", "not_json"), ("[]", "not_json"), ("{}", "bad_transaction"),
            (#"{"operations":[{}]}x"#, "bad_transaction"),
            (#"{"operations":[]}"#, "bad_transaction"), (#"{"operations":{}}"#, "bad_json"),
            (#"{"operations":1}"#, "bad_transaction"), (#"{"operations":[1]}"#, "bad_json"),
            (#"{"operations":[{"op":"get","key":"a"}],"other":1}"#, "bad_json"),
            (#"{"operations":[{"op":"get","key":"a"}],"operations":[]}"#, "bad_json"),
            (#"{"operations":[{"op":"incr","key":"a"}]}"#, "bad_transaction"),
            (#"{"operations":[{"key":"a"}]}"#, "bad_transaction"),
            (#"{"operations":[{"op":"get"}]}"#, "key_missing"),
            (#"{"operations":[{"op":"get","key":""}]}"#, "key_empty"),
            (#"{"operations":[{"op":"get","key":"123456789"}]}"#, "key_too_large"),
            (#"{"operations":[{"op":"get","key":"a","value":"b"}]}"#, "bad_json"),
            (#"{"operations":[{"op":"delete","key":"a","ttl_ms":1}]}"#, "bad_json"),
            (#"{"operations":[{"op":"set","key":"a"}]}"#, "value_missing"),
            (#"{"operations":[{"op":"set","key":"a","value":"12345678901234567"}]}"#, "value_too_large"),
            (#"{"operations":[{"op":"set","key":"a","value":"b","ttl_ms":0}]}"#, "bad_expiry"),
            (#"{"operations":[{"op":"set","key":"a","value":"b","ttl_ms":"1"}]}"#, "bad_expiry"),
            (#"{"operations":[{"op":"set","key":"a","value":"b","ttl_ms":1,"expires_at":1}]}"#, "bad_expiry"),
            (#"{"operations":[{"op":"set","key":"a","value":"b","value_b64":"Yg=="}]}"#, "bad_json"),
            (#"{"checks":[{"key":"a"}],"operations":[{"op":"get","key":"a"}]}"#, "bad_json"),
            (#"{"checks":[{"key":"a","absent":true,"present":true}],"operations":[]}"#, "bad_json"),
            (#"{"checks":[{"key":"a","absent":false}],"operations":[]}"#, "bad_json"),
            (#"{"checks":[{"key":"a","revision":0}],"operations":[]}"#, "bad_json"),
            (#"{"checks":[{"key":"a","revision":1.0}],"operations":[]}"#, "bad_json"),
            (#"{"checks":"a","operations":[{"op":"get","key":"a"}]}"#, "bad_json"),
            (#"{"checks":null,"operations":[{"op":"get","key":"a"}]}"#, "bad_json"),
            (#"{"checks":{},"operations":[{"op":"get","key":"a"}]}"#, "bad_json"),
        ])
    func `what a transaction cannot mean is refused`(body: String, code: String) {
        #expect(self.code { () throws(Problem) in _ = try self.transaction(body) } == code)
    }

    @Test func `a problem names the place in the body`() {
        do throws(Problem) {
            _ = try self.transaction(#"{"operations":[{"op":"get","key":"a"},{"op":"get","key":"a","more":1}]}"#)
        } catch {
            #expect(error.detail.contains("operations[1] has the unknown member more"), "\(error.detail)")
            #expect(error.applied == .no)
            return
        }
        Issue.record("it was accepted")
    }

    private func increment(
        _ body: String, if precondition: Precondition = .none
    ) throws(Problem) -> IncrementRequest {
        try IncrementRequest(Array(body.utf8).span, if: precondition, limits: self.limits)
    }

    @Test func `an increment has a key, and may have a delta, a condition and an expiry time`() throws {
        let plain = try self.increment(#"{"key":"n"}"#)
        #expect(plain.key == self.key("n") && plain.delta == 1 && plain.precondition == .none && plain.expiry == .never)
        let full = try self.increment(#"{"key":"n","delta":-9223372036854775808,"if_revision":3,"ttl_ms":5}"#)
        #expect(full.delta == .min && full.precondition == .revision(3) && full.expiry == .after(milliseconds: 5))
        #expect(try self.increment(#"{"key":"n"}"#, if: .exists).precondition == .exists)
        #expect(try self.increment(#"{"key":"n","if_absent":true}"#).precondition == .absent)
    }

    @Test(
        arguments: [
            (#"{"delta":1}"#, "key_missing"), (#"{"key":"n","delta":"1"}"#, "bad_json"),
            (#"{"key":"n","delta":1.5}"#, "bad_json"), (#"{"key":"n","delta":9223372036854775808}"#, "bad_json"),
            (#"{"key":"n","delta":null}"#, "bad_json"), (#"{"key":"n","value":"1"}"#, "bad_json"),
            (#"{"key":"n","if_absent":false}"#, "bad_precondition"),
            (#"{"key":"n","if_absent":true,"if_revision":1}"#, "bad_precondition"),
            (#"{"key":"n","ttl_ms":3155760000001}"#, "bad_expiry"),
            (#"{"key":"n","ttl_ms":"5","expires_at":5}"#, "bad_expiry"),
        ])
    func `what an increment cannot mean is refused`(body: String, code: String) {
        #expect(self.code { () throws(Problem) in _ = try self.increment(body) } == code)
    }

    @Test func `an increment has one condition, in the header or in the body`() {
        let code = self.code { () throws(Problem) in
            _ = try self.increment(#"{"key":"n","if_absent":true}"#, if: .revision(1))
        }
        #expect(code == "bad_precondition")
    }

    private func several(_ body: String) throws(Problem) -> [[UInt8]] {
        try SeveralRequest(Array(body.utf8).span, limits: self.limits).keys
    }

    @Test func `several keys are asked for as texts or in Base64, in any order, also twice`() throws {
        let keys = try self.several(#"{"keys":["b","a",{"key_b64":"AAE="},{"key":"b"}]}"#)
        #expect(keys == [self.key("b"), self.key("a"), [0, 1], self.key("b")])
        let most = Array(repeating: #""a""#, count: 128).joined(separator: ",")
        #expect(try self.several(#"{"keys":[\#(most)]}"#).count == 128)
    }

    @Test(
        arguments: [
            (#"{"keys":[]}"#, "key_missing"), ("{}", "key_missing"), (#"{"keys":[""]}"#, "key_empty"),
            (#"{"keys":["123456789"]}"#, "key_too_large"), (#"{"keys":[1]}"#, "bad_json"),
            (#"{"keys":[["a"]]}"#, "bad_json"), (#"{"keys":"a"}"#, "key_missing"), (#"{"keys":{}}"#, "bad_json"),
            (#"{"keys":[{"key":"a","key_b64":"YQ=="}]}"#, "bad_json"), (#"{"keys":["a"],"more":1}"#, "bad_json"),
            (#"{"keys":["a""#, "not_json"),
        ])
    func `what several keys cannot mean is refused`(body: String, code: String) {
        #expect(self.code { () throws(Problem) in _ = try self.several(body) } == code)
    }

    @Test func `more than 128 keys are refused`() {
        let keys = Array(repeating: #""a""#, count: 129).joined(separator: ",")
        #expect(self.code { () throws(Problem) in _ = try self.several(#"{"keys":[\#(keys)]}"#) } == "bad_json")
    }
}
