/// The file name of a part of a snapshot: its last revision, 16 hex digits, and its number, 8 hex digits. The number is
/// unique in a store.
///
///     00000000000f4240-00000001.snapshot
public struct PartName: Equatable, Hashable, Comparable, Sendable, CustomStringConvertible {
    static let suffix = ".snapshot"

    public let upTo: UInt64
    public let number: UInt32

    public init(upTo: UInt64, number: UInt32) {
        self.upTo = upTo
        self.number = number
    }

    public init?(_ name: String) {
        guard name.utf8.count == 34, name.hasSuffix(Self.suffix) else { return nil }
        let fields = name.dropLast(Self.suffix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard fields.count == 2, let upTo = UInt64(fields[0], radix: 16), let number = UInt32(fields[1], radix: 16)
        else { return nil }
        self.init(upTo: upTo, number: number)
        if self.description != name { return nil }
    }

    public var description: String {
        "\(hexadecimal(self.upTo))-\(hexadecimal(UInt64(self.number)).suffix(8))\(Self.suffix)"
    }

    /// In the order in which parts are loaded: if two contain a key, the later one has its later state.
    public static func < (left: PartName, right: PartName) -> Bool {
        (left.upTo, left.number) < (right.upTo, right.number)
    }
}
