import Testing

@testable import LogFormat

@Suite("Names and ids", .timeLimit(.minutes(1)))
struct NameTests {
    @Test(arguments: [(1, 1), (0xA1, 0xF4241), (UInt64.max, 0)] as [(UInt64, UInt64)])
    func `segment names are read back and sort as the log runs`(sequence: UInt64, revision: UInt64) {
        let name = SegmentName(sequence: sequence, firstRevision: revision)
        #expect(SegmentFileName(name.description) == name.file)
        #expect(name.description.utf8.count == 20)
        let older = SegmentFileName(sequence: sequence, firstRevision: revision)
        #expect(SegmentFileName(older.description) == older)
        #expect(older.description.utf8.count == 37)
        #expect(SegmentName(older, firstRevision: 7).firstRevision == revision)
    }

    @Test(arguments: [
        "", "MANIFEST", "0000000000000001-0000000000000001", "0000000000000001-0000000000000001.lo",
        "0000000000000001-000000000000001.log", "000000000000000A-0000000000000001.log",
        "+000000000000001-0000000000000001.log", "0000000000000001_0000000000000001.log",
        "0000000000000001-0000000000000001.log.torn", "0000000000000001.log.prepared", "000000000000001.log",
        "000000000000000A.log", "0000000000000001-.log", "kv.log", ".log",
    ])
    func `other names are no segments`(text: String) { #expect(SegmentFileName(text) == nil) }

    @Test func `a store id is read back and is a version 4 UUID`() {
        for _ in 0..<100 {
            let id = StoreID.random()
            let text = id.description
            #expect(StoreID(text) == id)
            #expect(Array(text)[14] == "4")
            #expect("89ab".contains(Array(text)[19]))
        }
        #expect(StoreID("0b7f6a52") == nil)
        #expect(StoreID("0b7f6a52-3c1d-4e8f-9a20-5d1c7e4f8b6g") == nil)
    }

    @Test(arguments: [
        ("always", SyncMode.always), ("never", .never), ("interval:1", .interval(milliseconds: 1)),
        ("interval:60000", .interval(milliseconds: 60_000)),
    ])
    func `sync modes are read and printed`(text: String, mode: SyncMode) {
        #expect(SyncMode(text) == mode)
        #expect(mode.description == text)
    }

    @Test(arguments: ["", "Always", "interval", "interval:0", "interval:60001", "interval:-1", "interval:1s"])
    func `other sync modes are refused`(text: String) { #expect(SyncMode(text) == nil) }
}
