/// SplitMix64 (Steele, Lea and Flood, 2014): the same seed gives the same numbers on every machine.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { self.state = seed }

    /// A seed that differs in each run, and is printed: pass it to `init(seed:)` to repeat a failure.
    package init(printingFor test: String = #function) {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("\(test): seed \(seed)")
        self.init(seed: seed)
    }

    package mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// True in `share` of 1.0 of the cases.
    package mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &self) < share }

    package mutating func bytes(_ count: Int) -> [UInt8] {
        var words: [UInt64] = []
        words.reserveCapacity(count / 8 + 1)
        while words.count * 8 < count { words.append(self.next()) }
        return words.withUnsafeBytes { Array($0.prefix(count)) }
    }
}
