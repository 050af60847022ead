import JSON

/// The handlers of the dashboard as comma-separated values (RFC 4180), for a spreadsheet: raw numbers in base units, an
/// empty field for unknown figures, `+Inf` for a quantile above the highest bound, the bound itself for one below the
/// lowest.
public enum DashboardTable {
    public static let header =
        "at,target,availability,handler,window_seconds,requests,requests_per_second,error_ratio,client_error_ratio,"
        + "p50_seconds,p95_seconds,p99_seconds\n"

    /// One line for each handler of each target, and one for all that serve data; a target without figures has only the
    /// latter.
    public static func lines(_ dashboard: Dashboard) -> String {
        let at = Timestamp.rfc3339(secondsSince1970: dashboard.wallTime)
        return dashboard.targets.map { target in
            let begin = "\(at),\(target.target.name),\(target.availability.rawValue)"
            guard let figures = target.figures else { return "\(begin),data total,,,,,,,,\n" }
            return (figures.handlers + [figures.data]).map { row in
                let numbers = [
                    figures.windowSeconds, row.counts.traffic, row.rate, row.errorRatio, row.clientErrorRatio,
                    self.number(row.quantile(0.5)), self.number(row.quantile(0.95)), self.number(row.quantile(0.99)),
                ]
                return "\(begin),\(self.quoted(row.name)),\(numbers.map(self.text).joined(separator: ","))\n"
            }.joined()
        }.joined()
    }

    private static func number(_ quantile: QuantileEstimate) -> Double? {
        if case .above = quantile { return .infinity }
        return quantile.number
    }

    private static func text(_ number: Double?) -> String {
        guard let number else { return "" }
        return number == .infinity ? "+Inf" : "\(number)"
    }

    /// A label may contain any character.
    private static func quoted(_ name: String) -> String {
        // Control characters must not reach a terminal.
        let isHarmless = { (scalar: Unicode.Scalar) in
            scalar.properties.generalCategory != .control && scalar.properties.generalCategory != .format
        }
        let name = String(String.UnicodeScalarView(name.unicodeScalars.map { isHarmless($0) ? $0 : "\u{FFFD}" }))
        guard name.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return name }
        return "\"\(name.replacing("\"", with: "\"\""))\""
    }
}
