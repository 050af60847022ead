import LogFormat
import OfflineStore
import TransactionLog

/// What `export --skip-damage` skips in a damaged log.
struct SalvageReport {
    let inspection: LogInspection

    /// One line for each file with a skipped part.
    var files: [String] {
        let found = self.inspection
        var lines: [String] = []
        for part in found.parts where part.damage != nil {
            let taken = part.entries + part.entriesBehindDamage
            let listed = part.listedEntries.map { " of \($0)" } ?? ""
            lines.append("\(part.name): \(part.isThere ? "damaged" : "missing"), \(taken)\(listed) entries exported")
        }
        for segment in found.segments {
            if let line = self.line(segment) { lines.append(line) }
        }
        lines += found.unexpectedSegments.map { "\($0): not part of this log, skipped" }
        if let lost = found.lostEnd { lines.append("\(lost.file): shorter than at the last clean stop") }
        if let cut = found.cutFile { lines.append("\(cut.file): was truncated") }
        return lines
    }

    private func line(_ segment: LogInspection.Segment) -> String? {
        guard let damage = segment.damage else { return nil }
        if !segment.isThere { return "\(segment.name): missing" }
        if segment.header == nil { return "\(segment.name): skipped completely, \(segment.fileBytes) bytes" }
        let frames =
            switch segment.framesBehindDamage {
            case 0: ""
            case 1: ", 1 frame behind it exported"
            default: ", \(segment.framesBehindDamage) frames behind it exported"
            }
        return "\(segment.name): skipped the damage at offset \(damage.offset)\(frames)"
    }

    /// Which revisions are unknown, and how many.
    var revisions: String {
        let coverage = self.inspection.coverage
        if coverage.isWhole { return "no revision of the segments is missing" }
        let count = coverage.unknownRevisions
        let number = coverage.endIsUnknown ? (count == 0 ? "an unknown number of" : "\(count) or more") : "\(count)"
        return "\(number) revisions are unknown: \(coverage.unknownText)"
    }
}
