import AccessControl
import ServiceKit
import ServiceSettings
import SystemSupport

/// The file `--routes-file`: which upstream has which keys.
enum RoutesFile {
    /// Sixteen upstreams with many long prefixes.
    private static let limitBytes = 4 << 20

    /// The routes of the settings: those of the file, or the only one without a file. Blocks; any thread.
    static func routes(_ settings: ResolvedSettings) throws(ServiceFailure) -> [UpstreamRoute] {
        guard let path = settings[GatewaySettings.routesFile] else {
            return [.only(settings[GatewaySettings.upstream])]
        }
        let text: [UInt8]
        do throws(OperatorFileError) { text = try OperatorFile.read(path, limitBytes: self.limitBytes) } catch {
            throw ServiceFailure(.configuration, "--routes-file: \(path) \(error)")
        }
        do throws(EntryFailure) {
            return try RoutesParser.routes(text, refusal: { GatewaySettings.refusal(of: $0, settings) })
        } catch {
            throw ServiceFailure(.configuration, "--routes-file: \(path): \(error)")
        }
    }

    /// What `check-config` prints: a line for each upstream; columns are aligned.
    static func table(_ routes: [UpstreamRoute]) -> String {
        let rows =
            [("UPSTREAM", "URL", "PREFIXES")]
            + routes.map { ($0.name, $0.address.description, $0.prefixTexts.joined(separator: ",")) }
        let (names, addresses) = (rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0)
        return rows.map { name, address, prefixes in
            "\(self.pad(name, names))  \(self.pad(address, addresses))  \(prefixes)\n"
        }.joined()
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
