import AccessControl
import NIOCore
import ServiceKit
import ServiceSettings
import Synchronization
import SystemSupport

/// The access key by which kv-service knows the gateway; clients' own are never passed on. Any thread.
final class UpstreamAccessKey: Sendable {
    /// The most bytes of the field with an access key.
    static let fieldBytes = 80

    private let held: Mutex<[UInt8]>

    /// - Throws: if the file has none.
    init(file: String) throws(ServiceFailure) { self.held = Mutex(try Self.load(file)) }

    /// Exchanges it for the one that the file has then, for the requests from then on.
    var reloads: ReloadPart {
        let setting = GatewaySettings.upstreamAccessKeyFile
        return ReloadPart(settings: [setting.name], files: { [$0[setting]].compactMap { $0 } }) {
            (new: ResolvedSettings) throws(ReloadError) in
            guard let path = new[setting] else {
                throw ReloadError("--upstream-access-key-file: can be taken away by a restart only")
            }
            let text: [UInt8]
            do { text = try Self.load(path) } catch { throw ReloadError("\(error)") }
            return { self.held.withLock { $0 = text } }
        }
    }

    /// Only for a request to kv-service.
    var text: [UInt8] { self.held.withLock { $0 } }

    private static func load(_ path: String) throws(ServiceFailure) -> [UInt8] {
        let text: [UInt8]
        do throws(OperatorFileError) { text = Array(try OperatorFile.token(path).utf8) } catch {
            throw ServiceFailure(.configuration, "--upstream-access-key-file: \(path) \(error)")
        }
        guard AccessDigest(ofKey: text.span) != nil else {
            throw ServiceFailure(
                .configuration,
                "--upstream-access-key-file: \(path) contains no access key: txk_ and 43 characters, as kvctl key add prints"
            )
        }
        return text
    }
}
