import Logging

/// Logs when exporting begins to fail and when it works again. Confined to the exporter's thread.
struct ExportHealth {
    private let endpoint: String
    private let logger: Logger
    private var isFailing = false

    init(endpoint: String, logger: Logger) {
        self.endpoint = endpoint
        self.logger = logger
    }

    mutating func failed(_ reason: String) {
        if self.isFailing { return }
        self.isFailing = true
        self.logger.warning(
            "spans cannot be exported; a further line reports when they can again",
            metadata: ["endpoint": "\(self.endpoint)", "reason": "\(reason)"]
        )
    }

    mutating func succeeded() {
        if !self.isFailing { return }
        self.isFailing = false
        self.logger.notice("spans are exported again", metadata: ["endpoint": "\(self.endpoint)"])
    }
}
