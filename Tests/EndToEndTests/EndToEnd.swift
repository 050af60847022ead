import Testing

/// Tests that run the real programs. One at a time: each measures what a machine does for it.
@Suite("End to end", .serialized)
enum EndToEnd {}
