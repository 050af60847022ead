public import JSON

extension AdminSnapshot {
    /// Reads a document of `GET /admin`.
    ///
    /// - Throws: why it is not a JSON document. Members that are missing or of another type are nil.
    public init(parsing text: [UInt8]) throws(JSONSyntaxError) {
        let tree = try JSONTree(parsing: text)
        guard case .object = tree else { throw JSONSyntaxError(.notAnObject, offset: 0) }
        self.service = tree["service"]?.string
        self.now = tree["now"]?.string.flatMap(InstantText.seconds)
        self.instance = tree["instance_id"]?.string
        self.version = tree["version"]?.string
        self.state = tree["state"]?.string
        self.stateReason = tree["state_reason"]?.string
        self.isReadOnly = tree["read_only"]?["enabled"]?.bool
        self.isDraining = tree["drain"]?["enabled"]?.bool
        self.uptimeSeconds = tree["uptime_seconds"]?.double
        self.processID = tree["process"]?["pid"]?.int
        self.connections = tree["http"]?["connections"]?.double
        self.connectionsLimit = tree["http"]?["connections_max"]?.double
        self.checks = (tree["checks"]?.elements ?? []).prefix(32).map(Check.init)
        self.certificates = (tree["certificates"]?.elements ?? []).prefix(8).compactMap(Certificate.init)
        self.store = tree["store"].map(Store.init)
        self.memory = tree["memory"].map { Memory(state: $0["state"]?.string, use: $0["used_ratio"]?.double) }
        self.log = tree["log"].map(Log.init)
        self.replay = tree["replay"].map(Replay.init)
        self.compaction = tree["compaction"].flatMap { $0 == .null ? nil : Compaction($0) }
        self.upstreams = (tree["upstreams"]?.elements ?? []).prefix(16).map(Upstream.init)
    }
}

extension AdminSnapshot.Check {
    init(_ tree: JSONTree) {
        self.name = tree["name"]?.string ?? "unnamed"
        self.isOK = tree["status"]?.string == "ok"
        self.isWarning = tree["status"]?.string == "warning"
        self.message = tree["message"]?.string
    }
}

extension AdminSnapshot.Certificate {
    init?(_ tree: JSONTree) {
        guard let name = tree["name"]?.string, let seconds = tree["expires_in_seconds"]?.double else { return nil }
        self.name = name
        self.expiresInSeconds = seconds
    }
}

extension AdminSnapshot.Store {
    init(_ tree: JSONTree) {
        self.keys = tree["keys"]?.double
        self.keyBytes = tree["key_bytes"]?.double
        self.valueBytes = tree["value_bytes"]?.double
    }
}

extension AdminSnapshot.Log {
    /// Number of segments that are kept of the list; ``segmentCount`` counts all.
    private static let segmentLimit = 256

    init(_ tree: JSONTree) {
        self.path = tree["path"]?.string
        self.state = tree["state"]?.string
        self.sizeBytes = tree["size_bytes"]?.double
        self.liveBytes = tree["live_bytes"]?.double
        self.garbageRatio = tree["garbage_ratio"]?.double
        self.syncPolicy = tree["fsync_policy"]?.string
        self.syncIntervalSeconds = tree["fsync_interval_seconds"]?.double
        self.warning = tree["warning"]?.string
        self.lastError = tree["last_error"]?.string
        self.lostRevisions = tree["lost_revisions"]?.double
        self.damagedFiles = tree["scrub"]?["findings_total"]?.double
        self.pendingAppends = tree["pending_appends"]?.double
        self.fileSystemBytes = tree["filesystem"]?["size_bytes"]?.double
        self.fileSystemAvailableBytes = tree["filesystem"]?["available_bytes"]?.double
        self.snapshot = AdminSnapshot.LogSnapshot(tree)
        guard let segments = tree["segments"]?.elements else { return }
        self.segmentCount = segments.count
        self.segments = segments.suffix(Self.segmentLimit).map(AdminSnapshot.Segment.init)
        if self.liveBytes == nil, !self.segments.isEmpty, self.segments.allSatisfy({ $0.liveBytes != nil }) {
            self.liveBytes = self.segments.reduce(0) { $0 + ($1.liveBytes ?? 0) }
        }
        if self.garbageRatio == nil, let size = self.sizeBytes, let live = self.liveBytes, size > 0 {
            self.garbageRatio = max(0, size - live) / size
        }
    }
}

extension AdminSnapshot.LogSnapshot {
    /// From the `log` member. Nil if it does not report snapshots.
    init?(_ log: JSONTree) {
        guard let parts = log["snapshot_parts"]?.double else { return nil }
        self.parts = parts
        self.sizeBytes = log["snapshot_bytes"]?.double
        self.liveBytes = log["snapshot_live_bytes"]?.double
        let next = log["segments"]?.elements.first?["first_revision"]?.double
        self.revision = parts > 0 ? next.map { max(0, $0 - 1) } : nil
    }
}

extension AdminSnapshot.Segment {
    init(_ tree: JSONTree) {
        self.name = tree["name"]?.string ?? "unnamed"
        self.sizeBytes = tree["size_bytes"]?.double
        self.liveBytes = tree["live_bytes"]?.double
        self.isSealed = tree["sealed"]?.bool
    }
}

extension AdminSnapshot.Replay {
    init(_ tree: JSONTree) {
        self.state = tree["state"]?.string
        self.progress = tree["progress_ratio"]?.double
        self.etaSeconds = tree["eta_seconds"]?.double
    }
}

extension AdminSnapshot.Upstream {
    init(_ tree: JSONTree) {
        self.name = tree["name"]?.string ?? "unnamed"
        self.state = tree["state"]?.string
        self.isUp = tree["up"]?.bool
        self.isReady = tree["ready"]?.bool
        self.lastSuccessAt = tree["last_success_at"]?.string
        self.lastErrorAt = tree["last_error"]?["at"]?.string
        self.lastErrorReason = tree["last_error"]?["reason"]?.string
        self.lastErrorMessage = tree["last_error"]?["message"]?.string
        self.connectionsActive = tree["connections"]?["active"]?.double
        self.connectionsIdle = tree["connections"]?["idle"]?.double
        self.connectionsLimit = tree["connections"]?["max"]?.double
        self.requestsWaiting = tree["requests_waiting"]?.double
        self.requestsInFlight = tree["requests_in_flight"]?.double
        self.circuit = tree["circuit"].flatMap(Self.circuit)
    }

    /// The state of both circuits; if only one is not closed, its state with its name.
    private static func circuit(_ tree: JSONTree) -> String? {
        let state = tree["state"]?.string
        let open = ["reads", "writes"].filter { tree[$0]?["state"]?.string ?? "closed" != "closed" }
        guard open.count == 1, let one = open.first, let itsState = tree[one]?["state"]?.string else { return state }
        return "\(one) \(itsState)"
    }
}
