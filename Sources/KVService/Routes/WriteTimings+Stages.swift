import KeyValueStore
import RequestTracing

extension WriteTimings {
    /// The value of `Server-Timing`: milliseconds per stage.
    var serverTiming: String {
        [("queue", self.queue), ("write", self.write), ("fsync", self.fsync), ("apply", self.apply)]
            .map { "\($0.0);dur=\(Double($0.1 / 1_000) / 1_000)" }.joined(separator: ", ")
    }

    /// The stages as spans of a trace. Only stages that happened have one: the delete of a missing key writes nothing.
    var spans: [ChildSpan] {
        let batch = [ChildSpan.Attribute("txlog_kv.batch.writes", .integer(self.batchWrites))]
        var spans = [ChildSpan("queue", beganAt: self.queuedAt, endedAt: self.queuedAt + self.queue)]
        if self.writeBeganAt != 0 {
            let wroteAt = self.writeBeganAt + self.write
            spans.append(ChildSpan("write", beganAt: self.writeBeganAt, endedAt: wroteAt, attributes: batch))
            if self.fsync != 0 {
                spans.append(ChildSpan("fsync", beganAt: wroteAt, endedAt: wroteAt + self.fsync, attributes: batch))
            }
        }
        spans.append(ChildSpan("apply", beganAt: self.applyBeganAt, endedAt: self.applyBeganAt + self.apply))
        return spans
    }
}
