import Testing

@testable import HTTP1

@Suite(.timeLimit(.minutes(1)))
struct HeaderFieldsTests {
    private let fields = HeaderFields([
        ("Accept", "text/plain,\t application/json"), ("X-One", "a"), ("accept", " b , c "), ("X-Two", ""),
    ])

    @Test func `a field is found wherever it stands, whatever its case`() {
        #expect(self.fields.contains("accept") && self.fields.contains("x-one") && self.fields.contains("x-two"))
        #expect(!self.fields.contains("x-on") && !self.fields.contains("x-three"))
    }

    @Test func `the first of several fields is the first`() {
        #expect(self.fields.first("accept") == "text/plain,\t application/json")
        #expect(self.fields.first("x-two") == "")
        #expect(self.fields.first("x-three") == nil)
    }

    @Test func `the only field is the only one, and equal without case`() {
        #expect(self.fields.isOnly("x-one", "a"))
        #expect(HeaderFields([("X-One", "A")]).isOnly("x-one", "a"))
        #expect(!self.fields.isOnly("x-one", "b") && !self.fields.isOnly("x-three", ""))
        #expect(!HeaderFields([("X-One", "a"), ("X-One", "a")]).isOnly("x-one", "a"))
        #expect(!HeaderFields([("X-One", "b"), ("X-One", "a")]).isOnly("x-one", "a"))
    }

    @Test func `elements are those of all fields of the name, in order and without blanks`() {
        #expect(self.fields.elements(of: "accept") == ["text/plain", "application/json", "b", "c"])
        #expect(self.fields.elements(of: "x-three") == [])
    }
}
