import JSON
import KeyValueStore
import LogFormat
import OfflineStore
import SystemSupport
import TransactionLog

/// The output of `stat`.
struct StatReport {
    let image: StoreImage
    let directory: String

    private var inspection: LogInspection { self.image.inspection }
    private var space: LogSpace { self.image.inspection.space }

    var text: String {
        let (found, space, figures) = (self.inspection, self.space, self.image.figures)
        let percent = Int((1 - space.garbageRatio) * 100)
        var rows = [
            ["folder", self.directory],
            ["store", found.storeID.map { "\($0)" } ?? "unknown"],
            ["state", self.state],
            ["sync mode", found.syncMode ?? "unknown"],
            ["revisions", "\(found.firstRevision) to \(found.lastRevision) in segments"],
            ["keys", "\(figures.keys), with \(figures.keyBytes) bytes of keys and \(figures.valueBytes) of values"],
            ["size", "\(space.sizeBytes) bytes: \(space.segmentBytes) in segments, \(self.partBytes) in the snapshot"],
            ["live", "\(space.liveBytes) bytes, \(percent) %"],
            ["garbage", "\(space.garbageBytes) bytes"],
        ]
        if let manifest = found.manifest {
            rows.append(["manifest", "generation \(manifest.generation)"])
            if manifest.base != .none {
                rows.append(["snapshot", "live records up to revision \(manifest.base.lastRevision)"])
            }
            if let imported = manifest.imported {
                rows.append(["imported", "a kv.log of \(imported.lengthBytes) bytes"])
            }
        }
        var text = Table.text(rows)
        text += "\n" + Table.text([["SEGMENT", "FIRST", "LAST", "BYTES", "LIVE", "SYNC", "STATE"]] + self.segmentRows)
        if !found.parts.isEmpty {
            text += "\n" + Table.text([["PART", "UP TO", "ENTRIES", "BYTES", "STATE"]] + self.partRows)
        }
        return text
    }

    private var partBytes: UInt64 { self.inspection.parts.reduce(0) { $0 + $1.fileBytes } }

    private var state: String {
        let found = self.inspection
        if found.isDamaged { return "damaged, see: \(ToolCommand.verify(self.directory))" }
        if let tail = found.tornTail { return "torn tail of \(tail.bytes) bytes, which the next start cuts" }
        return found.wasCleanShutdown ? "closed cleanly" : "intact, but not closed cleanly"
    }

    private var segmentRows: [[String]] {
        zip(self.inspection.segments, self.space.segments).map { segment, summary in
            [
                "\(segment.name)", "\(segment.name.firstRevision)",
                segment.lastRevision < segment.name.firstRevision ? "-" : "\(segment.lastRevision)",
                "\(segment.sizeBytes)", "\(summary.liveBytes)", segment.header?.syncModeName ?? "unknown",
                Self.state(segment),
            ]
        }
    }

    private static func state(_ segment: LogInspection.Segment) -> String {
        if segment.damage != nil { return "damaged" }
        return segment.sealed == nil ? "active" : "sealed"
    }

    private var partRows: [[String]] {
        self.inspection.parts.map { part in
            [
                "\(part.name)", "\(part.name.upTo)", "\(part.entries)", "\(part.fileBytes)",
                part.damage == nil ? "ok" : "damaged",
            ]
        }
    }

    var json: [UInt8] {
        let (found, space, figures) = (self.inspection, self.space, self.image.figures)
        var writer = JSONWriter()
        writer.object { object in
            object.member("folder", self.directory)
            found.storeID.map { object.member("store_id", "\($0)") }
            object.member("verdict", found.verdict)
            object.member("clean_shutdown", found.wasCleanShutdown)
            found.syncMode.map { object.member("sync", $0) }
            object.member("first_revision", found.firstRevision)
            object.member("last_revision", found.lastRevision)
            object.member("keys", figures.keys)
            object.member("key_bytes", figures.keyBytes)
            object.member("value_bytes", figures.valueBytes)
            object.member("size_bytes", space.sizeBytes)
            object.member("live_bytes", space.liveBytes)
            object.member("garbage_bytes", space.garbageBytes)
            object.member("garbage_ratio", space.garbageRatio)
            if let manifest = found.manifest {
                object.member("manifest_generation", manifest.generation)
                object.member("snapshot_revision", manifest.base.lastRevision)
            }
            object.member("snapshot_live_bytes", space.snapshotLiveBytes)
            object.member(
                "segments",
                array: { array in
                    for (segment, summary) in zip(found.segments, space.segments) {
                        array.element(object: { element in
                            element.member("file", "\(segment.name)")
                            element.member("sequence", segment.name.sequence)
                            element.member("first_revision", segment.name.firstRevision)
                            element.member("last_revision", segment.lastRevision)
                            element.member("operations", segment.operations)
                            element.member("size_bytes", segment.sizeBytes)
                            element.member("live_bytes", summary.liveBytes)
                            element.member("sealed", segment.sealed != nil)
                            segment.header.map { element.member("sync", $0.syncModeName) }
                            element.member("ok", segment.damage == nil)
                        })
                    }
                })
            object.member(
                "snapshot_parts",
                array: { array in
                    for part in found.parts {
                        array.element(object: { element in
                            element.member("file", "\(part.name)")
                            element.member("up_to_revision", part.name.upTo)
                            element.member("entries", part.entries)
                            element.member("size_bytes", part.fileBytes)
                            element.member("ok", part.damage == nil)
                        })
                    }
                })
        }
        writer.newline()
        return writer.bytes
    }
}

/// Columns, each as wide as its widest cell.
enum Table {
    static func text(_ rows: [[String]]) -> String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}
