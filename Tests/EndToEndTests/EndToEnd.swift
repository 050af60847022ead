import Testing

/// Tests that run the real programs. One at a time: each measures time on this machine.
@Suite("End to end", .serialized)
enum EndToEnd {}
