import LogFormat
import OfflineStore
import TransactionLog

/// What `export --skip-damage` leaves out of a damaged log.
struct SalvageReport {
    let inspection: LogInspection

    /// A line for each file of which something is skipped.
    var files: [String] {
        let found = self.inspection
        var lines: [String] = []
        for part in found.parts where part.damage != nil {
            let taken = part.entries + part.entriesBehindDamage
            let listed = part.listedEntries.map { " of \($0)" } ?? ""
            lines.append("\(part.name): \(part.isThere ? "damaged" : "missing"), \(taken)\(listed) entries taken")
        }
        for segment in found.segments {
            if let line = self.line(segment) { lines.append(line) }
        }
        lines += found.unexpectedSegments.map { "\($0): none of this log, skipped" }
        if let lost = found.lostEnd { lines.append("\(lost.file): ends before the place where the log was closed") }
        if let cut = found.cutFile { lines.append("\(cut.file): shorter than it was made") }
        return lines
    }

    private func line(_ segment: LogInspection.Segment) -> String? {
        guard let damage = segment.damage else { return nil }
        if !segment.isThere { return "\(segment.name): missing" }
        if segment.header == nil { return "\(segment.name): skipped as a whole, \(segment.fileBytes) bytes" }
        let frames =
            switch segment.framesBehindDamage {
            case 0: ""
            case 1: ", 1 frame behind it taken"
            default: ", \(segment.framesBehindDamage) frames behind it taken"
            }
        return "\(segment.name): skipped the damage at offset \(damage.offset)\(frames)"
    }

    /// Which revisions are unknown, and how many.
    var revisions: String {
        let coverage = self.inspection.coverage
        if coverage.isWhole { return "every revision of the segments is there" }
        let count = coverage.unknownRevisions
        let number = coverage.endIsUnknown ? (count == 0 ? "an unknown number of" : "\(count) or more") : "\(count)"
        return "\(number) revisions are unknown: \(coverage.unknownText)"
    }
}
