/// The most similar name, for "did you mean".
enum EditDistance {
    /// The candidate that needs the fewest insertions, deletions and replacements, at most a third of the name's length
    /// but at least one.
    static func nearest(to name: String, in candidates: [String]) -> String? {
        let limit = max(1, name.utf8.count / 3)
        let best = candidates.map { ($0, self.between(name, $0)) }.min { $0.1 < $1.1 }
        return best.flatMap { $0.1 <= limit ? $0.0 : nil }
    }

    /// Levenshtein's distance, row by row.
    private static func between(_ left: String, _ right: String) -> Int {
        let columns = Array(right.utf8)
        var row = Array(0...columns.count)
        for (index, byte) in left.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in columns.indices {
                let replaced = diagonal + (columns[column] == byte ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
            }
        }
        return row[columns.count]
    }
}
