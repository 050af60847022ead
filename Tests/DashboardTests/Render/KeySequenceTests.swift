import DashboardRender
import Testing

@Suite("Sequences that are no keys", .timeLimit(.minutes(1)))
struct KeySequenceTests {
    /// The keys from text that arrives at once, and from the wait after it.
    private func keys(_ text: String, known: [Int: Key?] = [:]) -> [Key] {
        var sequences = KeySequences()
        var keys: [Key] = []
        for (index, scalar) in text.unicodeScalars.enumerated() {
            var input = KeySequences.Input.scalar(scalar)
            if let key = known[index] { input = .known(key) }
            if let key = sequences.take(input, now: 5) { keys.append(key) }
        }
        if let key = sequences.expire(now: 7) { keys.append(key) }
        if let key = sequences.take(.scalar("."), now: 7) { keys.append(key) }
        return keys
    }

    @Test(arguments: [
        ("Ctrl-Alt-Shift-Right", "\u{1B}[1;8C"), ("Shift-Right of rxvt", "\u{1B}[c"),
        ("Shift-Delete of rxvt", "\u{1B}[3$"),
        ("what a terminal is", "\u{1B}[?64;1;22c"), ("where the cursor is", "\u{1B}[24;80R"),
        ("F1 of the Linux console", "\u{1B}[[A"), ("keypad", "\u{1B}Oq"), ("Ctrl-F1 of xterm", "\u{1B}O5P"),
        ("Alt-q", "\u{1B}q"), ("Alt-Enter", "\u{1B}\r"), ("Alt-Up of PuTTY", "\u{1B}\u{1B}[A"),
        ("a click of the oldest form", "\u{1B}[M cy"), ("a colour, ended by BEL", "\u{1B}]11;rgb:cccc/0000/qqqq\u{07}"),
        ("a colour, ended by ST", "\u{1B}]11;rgb:cccc/0000/qqqq\u{1B}\\"), ("a name", "\u{1B}P>|cy(1)\u{1B}\\"),
        ("an application's answer", "\u{1B}_Gi=31;OK\u{1B}\\"),
        ("with 8-bit controls", "\u{9B}1;8C\u{8F}q\u{9D}0;cy\u{9C}"),
        ("the focus", "\u{1B}[I\u{1B}[O"), ("a key by CSI u", "\u{1B}[113;5u"), ("without its end", "\u{1B}[1;8"),
        ("two after each other", "\u{1B}[c\u{1B}[c"), ("one cut off by another", "\u{1B}[1;\u{1B}[0c"),
    ])
    func `do nothing, and the next key counts`(_ name: String, _ text: String) {
        #expect(self.keys(text) == [.character(".")], "\(name)")
    }

    @Test func `are told from keys`() {
        #expect(self.keys("cy") == [.character("c"), .character("y"), .character(".")])
        #expect(self.keys("\t\r\u{7F}\u{03}") == [.tab, .enter, .backspace, .control("c"), .character(".")])
        #expect(self.keys("x", known: [0: .up]) == [.up, .character(".")])
        #expect(self.keys("x", known: [0: Key?.none]) == [.character(".")])
        #expect(self.keys("é漢") == [.character("é"), .character("漢"), .character(".")])
        // Alt with a key that ncurses knows; and one in the middle of another sequence.
        #expect(self.keys("\u{1B}x", known: [1: .up]) == [.character(".")])
        #expect(self.keys("\u{1B}[1x", known: [3: .up]) == [.up, .character(".")])
    }

    @Test func `an ESC alone is the key, once nothing has followed`() {
        var sequences = KeySequences()
        #expect(sequences.deadline == nil)
        #expect(sequences.take(.scalar("\u{1B}"), now: 5) == nil)
        #expect(sequences.expire(now: 5.02) == nil)
        #expect(sequences.deadline == 5 + KeySequences.escapeSeconds)
        #expect(sequences.expire(now: 5.04) == .escape)
        #expect(sequences.deadline == nil)
        #expect(self.keys("\u{1B}") == [.escape, .character(".")])
        #expect(self.keys("\u{1B}\u{1B}") == [.escape, .character(".")])
    }

    @Test func `a sequence may come in parts`() {
        var sequences = KeySequences()
        for (index, scalar) in "\u{1B}[1;8C".unicodeScalars.enumerated() {
            let now = index == 0 ? 5 : 5 + 0.02 * Double(index) * Double(index)
            #expect(sequences.expire(now: now) == nil)
            #expect(sequences.take(.scalar(scalar), now: now) == nil)
        }
        #expect(sequences.take(.scalar("q"), now: 6.1) == .character("q"))
    }

    @Test func `Ctrl-C counts in the middle of all but pasted text`() {
        for text in ["\u{1B}[1;", "\u{1B}]0;cy", "\u{1B}P", "\u{1B}O", "\u{1B}"] {
            #expect(self.keys(text + "\u{03}") == [.control("c"), .character(".")], "\(text.debugDescription)")
        }
    }

    @Test func `a text without an end, as after Alt-], holds up keys for a second alone`() {
        var sequences = KeySequences()
        var keys: [Key] = []
        for (index, scalar) in "\u{1B}]qqqq".unicodeScalars.enumerated() {
            let now = 5 + 0.3 * Double(max(0, index - 1))
            if let key = sequences.expire(now: now) { keys.append(key) }
            if let key = sequences.take(.scalar(scalar), now: now) { keys.append(key) }
        }
        #expect(keys == [.character("q")])
    }

    @Test func `pasted text is text, not keys`() {
        let pasted = "hi\u{1B}[c 0\u{1B}[201"
        #expect(self.keys("\u{1B}[200~\(pasted)x\u{1B}[201~").last == .character("."))
        #expect(
            self.keys("\u{1B}[200~cy\nq\u{1B}[201~") == [.pasted("c"), .pasted("y"), .pasted("q"), .character(".")])
        var view = ViewState()
        let dashboard = Scenario.idle()
        let layout = Renderer.layout(dashboard, view, columns: 80, rows: 24)
        for scalar in "cyq".unicodeScalars {
            #expect(view.handle(.pasted(scalar), dashboard, layout: layout).isEmpty)
        }
        #expect(view.dialog == nil && !view.isHelpShown)
        _ = view.handle(.character("/"), dashboard, layout: layout)
        for scalar in "kv_q".unicodeScalars { _ = view.handle(.pasted(scalar), dashboard, layout: layout) }
        #expect(view.filter == "kv_q")
    }
}
