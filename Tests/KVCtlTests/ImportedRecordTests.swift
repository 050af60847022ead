import TestSupport
import Testing

@testable import KVCtl

@Suite("Lines of an import", .timeLimit(.minutes(1)))
struct ImportedRecordTests {
    @Test func `text, base64, expiry and the members of exports are read`() throws {
        let text = try ImportedRecord(Array(#"{"key":"a","value":"","revision":7,"may_be_older":true}"#.utf8))
        #expect(text.key == [97] && text.value.isEmpty && text.expiresAt == nil)
        let bytes = try ImportedRecord(Array(#"{"value_b64":"AP8=","key_b64":"/w==","expires_at":1}"#.utf8))
        #expect(bytes.key == [0xFF] && bytes.value == [0, 0xFF] && bytes.expiresAt == 1)
    }

    @Test(arguments: [
        "", "{", "[]", #"{"key":"a"}"#, #"{"value":"a"}"#, #"{"key":"","value":"a"}"#, #"{"key":1,"value":"a"}"#,
        #"{"key":"a","key_b64":"YQ==","value":"a"}"#, #"{"key":"a","value_b64":"x"}"#, #"{"key":"a","value":null}"#,
        #"{"key":"a","value":"b","expires":1}"#, #"{"key":"a","value":"b","expires_at":-1}"#,
        #"{"key":"a","value":"b","expires_at":"1"}"#, #"{"key":"a","value":"b","op":"delete"}"#,
        #"{"key":"a","value":"b"}{"key":"a","value":"b"}"#,
    ])
    func `anything else is refused`(_ line: String) {
        #expect(throws: ImportedRecord.Malformed.self) { try ImportedRecord(Array(line.utf8)) }
    }

    @Test func `progress has a share and a time left only if the size is known`() {
        let known = ImportProgress(records: 50, seconds: 10, bytes: 250, totalBytes: 1_000)
        #expect(known.text == "50 records, 5/s, 25 %, 30 s left")
        #expect(ImportProgress(records: 50, seconds: 10, bytes: 250, totalBytes: nil).text == "50 records, 5/s")
        #expect(ImportProgress(records: 0, seconds: 0, bytes: 0, totalBytes: 0).text == "0 records, 0/s")
    }
}
