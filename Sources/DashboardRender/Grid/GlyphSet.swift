/// The characters for drawing the screen: those of UTF-8 terminals, and their ASCII equivalents.
struct GlyphSet: Sendable {
    /// Between panels.
    let rule: Unicode.Scalar
    let divider: Unicode.Scalar
    /// Eight heights of a sparkline, lowest first. The lowest is for zero: a gap is a space.
    let levels: [Unicode.Scalar]
    let bar: Unicode.Scalar
    let barRest: Unicode.Scalar
    let axis: Unicode.Scalar
    let axisTick: Unicode.Scalar
    let axisCorner: Unicode.Scalar
    let axisLine: Unicode.Scalar
    let micro: Unicode.Scalar
    let atLeast: String
    let cut: String
    let isUTF8: Bool

    static let utf8 = GlyphSet(
        rule: "─", divider: "│", levels: Array("▁▂▃▄▅▆▇█".unicodeScalars), bar: "█", barRest: "░",
        axis: "│", axisTick: "┤", axisCorner: "└", axisLine: "─", micro: "µ", atLeast: "≥", cut: "…", isUTF8: true)

    static let ascii = GlyphSet(
        rule: "-", divider: "|", levels: Array("_.:-=+*#".unicodeScalars), bar: "#", barRest: ".",
        axis: "|", axisTick: "+", axisCorner: "+", axisLine: "-", micro: "u", atLeast: ">=", cut: "~", isUTF8: false)

    static func of(_ capabilities: Capabilities) -> GlyphSet {
        capabilities.isUTF8 ? .utf8 : .ascii
    }

    /// Text of the program or of a service for this set: the program's own signs have equivalents, other characters
    /// that the set lacks are escaped, `\u{6f22}`, so that they can be read back. Unprintable characters are unchanged.
    func text(_ text: String) -> String {
        guard !self.isUTF8 else { return text }
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "µ": scalars.append("u")
            case "…": scalars.append("~")
            case "≥": scalars.append(contentsOf: ">=".unicodeScalars)
            case "─": scalars.append("-")
            case "│": scalars.append("|")
            case _ where scalar.isASCII || CharacterWidth.of(scalar) == .unprintable: scalars.append(scalar)
            default: scalars.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            }
        }
        return String(scalars)
    }
}
