import Testing
import TransactionLog

@testable import KVService
@testable import ServiceSettings

@Suite("How far the index may grow", .timeLimit(.minutes(1)))
struct MemoryModelTests {
    private static let mebi = 1 << 20

    private func use(_ source: MemoryUse.Source = .setting, limit: Int = 1_000, used: Int) -> MemoryUse {
        MemoryUse(
            source: source, limitBytes: UInt64(limit * Self.mebi), usedBytes: UInt64(used * Self.mebi))
    }

    /// The ceiling in MiB, from values in MiB.
    private func ceiling(_ model: inout MemoryModel, index: Int, _ uses: MemoryUse...) -> Int? {
        model.look(at: uses, indexBytes: index * Self.mebi).map { $0.ceilingBytes / Self.mebi }
    }

    @Test("without a limit nothing is said")
    func unlimited() {
        var model = MemoryModel()
        #expect(model.look(at: [], indexBytes: 5) == nil)
    }

    @Test("what is above the least outside of the index is known, whatever the index does")
    func otherBytes() {
        var model = MemoryModel()
        for (index, used, other) in [(0, 100, 0), (0, 300, 200), (50, 150, 0), (50, 140, 0), (10, 140, 40)] {
            let look = model.look(at: [self.use(used: used)], indexBytes: index * Self.mebi)
            #expect(look?.otherBytes == other * Self.mebi, "\(index) of \(used)")
        }
    }

    @Test("is up to nine tenths of the limit, what is not the index counted in")
    func room() {
        var model = MemoryModel()
        #expect(self.ceiling(&model, index: 0, self.use(used: 100)) == 800)
        #expect(self.ceiling(&model, index: 300, self.use(used: 400)) == 800)
        #expect(self.ceiling(&model, index: 300, self.use(used: 500)) == 700)
    }

    @Test("is by the limit that leaves least, and the one named is the one used most")
    func severalLimits() throws {
        var model = MemoryModel()
        let uses = [
            self.use(.machine, limit: 10_000, used: 100), self.use(.controlGroup, limit: 200, used: 120),
            self.use(.addressSpace, limit: 1_000, used: 400),
        ]
        let lookFound = model.look(at: uses, indexBytes: 0)
        let look = try #require(lookFound)
        // 32 of 200 MiB stay free, more than a tenth.
        #expect(look.ceilingBytes / Self.mebi == 48)
        #expect(look.nearest.source == .controlGroup)
    }

    @Test("takes what deletes have freed as free, though the process still has it")
    func reusable() throws {
        var model = MemoryModel()
        #expect(self.ceiling(&model, index: 0, self.use(used: 100)) == 800)
        #expect(self.ceiling(&model, index: 800, self.use(used: 900)) == 800)
        let lookFound = model.look(at: [self.use(used: 900)], indexBytes: 300 * Self.mebi)
        let look = try #require(lookFound)
        #expect(look.reusableBytes / Self.mebi == 500)
        #expect(look.nearest.usedBytes / UInt64(Self.mebi) == 400)
        #expect(look.ceilingBytes / Self.mebi == 800)
        // The allocator has returned half of it: that is not counted twice.
        let laterFound = model.look(at: [self.use(used: 650)], indexBytes: 300 * Self.mebi)
        let later = try #require(laterFound)
        #expect(later.reusableBytes / Self.mebi == 250)
        // Other growth is not mistaken for freed memory.
        let grownFound = model.look(at: [self.use(used: 1_200)], indexBytes: 300 * Self.mebi)
        let grown = try #require(grownFound)
        #expect(grown.reusableBytes / Self.mebi == 500)
    }

    @Test("is not above what it is where the system sees the limit near, whatever was freed")
    func systemLimit() throws {
        var model = MemoryModel()
        _ = model.look(at: [self.use(used: 100)], indexBytes: 0)
        _ = model.look(at: [self.use(used: 900)], indexBytes: 800 * Self.mebi)
        let lookFound = model.look(at: [self.use(used: 951)], indexBytes: 300 * Self.mebi)
        let look = try #require(lookFound)
        #expect(look.isAtSystemLimit && look.ceilingBytes == 300 * Self.mebi)
    }

    @Test("a replay goes on beyond it, and ends before the limit")
    func replay() {
        #expect(!MemoryModel.endsReplay(self.use(used: 960)))
        #expect(MemoryModel.endsReplay(self.use(used: 980)))
        // The stacks of threads that start later need address space.
        #expect(!MemoryModel.endsReplay(self.use(.addressSpace, limit: 100, used: 80)))
        #expect(MemoryModel.endsReplay(self.use(.addressSpace, limit: 100, used: 90)))
    }

    @Test("a start that does not fit says what it would need")
    func shortage() {
        let progress = ReplayProgress(bytesRead: 250, bytesTotal: 1_000, transactions: 1)
        let text = MemoryGuard.shortage(self.use(used: 1_000), before: UInt64(100 * Self.mebi), progress)
        // 100 and four times 900, at nine tenths.
        #expect(text.contains("needs a limit of about \(Int(3_700.0 * Double(Self.mebi) / 0.9)) bytes"), "\(text)")
        #expect(text.contains("--max-memory") && text.contains("250 of 1000 bytes"))
    }

    @Test("is set by sizes and two words")
    func setting() {
        let parse = SettingKind<MemorySetting>.maxMemory.parse
        #expect(parse("auto") == .auto && parse("none") == MemorySetting.none)
        #expect(parse("512MiB") == .bytes(512 << 20) && parse("67108864") == .bytes(64 << 20))
        for text in ["", "0", "1MiB", "512MB", "-1", "50%", "Auto"] { #expect(parse(text) == nil, "\(text)") }
        #expect(MemorySetting.none.uses == [])
        #expect(MemorySetting.bytes(1 << 40).uses.contains { $0.source == .setting && $0.limitBytes == 1 << 40 })
        #expect(MemorySetting.auto.uses.contains { $0.source == .machine && $0.usedBytes > 1 << 20 })
    }
}
