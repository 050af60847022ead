// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target is compiled with.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// `strict`, and unsafe constructs must be marked as such where they are used.
let memorySafe: [SwiftSetting] = strict + [.strictMemorySafety()]

let package = Package(
    name: "txlog-kv",
    products: [
        .library(name: "KeyValueClient", targets: ["KeyValueClient"]),
        .executable(name: "kv-service", targets: ["KVServiceMain"]),
        .executable(name: "api-gateway", targets: ["APIGatewayMain"]),
        .executable(name: "txlog", targets: ["TxlogTool"]),
        .executable(name: "kvtop", targets: ["KVTopMain"]),
        .executable(name: "kvctl", targets: ["KVCtl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    ],
    targets: [
        // Clocks, threads and what else the operating system has, for all that is below.
        .target(name: "CSystemSupport"),
        .target(name: "CProcess"),
        .target(name: "SystemSupport", dependencies: ["CProcess", "CSystemSupport"], swiftSettings: memorySafe),
        // One writer and one strict reader, for logs, documents, settings and requests.
        .target(name: "JSON", dependencies: ["SystemSupport"], swiftSettings: memorySafe),

        // The log and the store behind it: no HTTP, no metrics library, no event loop.
        .target(name: "CFileSystem"),
        .target(name: "DurableFiles", dependencies: ["CFileSystem"], swiftSettings: memorySafe),
        .target(name: "CChecksum"),
        .target(
            name: "LogFormat", dependencies: ["CChecksum", "DurableFiles", "SystemSupport"], swiftSettings: memorySafe),
        .target(
            name: "TransactionLog", dependencies: ["DurableFiles", "LogFormat", "SystemSupport"],
            swiftSettings: memorySafe),
        .target(
            name: "KeyValueStore",
            dependencies: ["CSystemSupport", "DurableFiles", "LogFormat", "SystemSupport", "TransactionLog"],
            swiftSettings: memorySafe),
        // The way to the second engine: etcd's API as protoc generated it, and the members of a cluster.
        .target(
            name: "EtcdAPI",
            dependencies: [
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["Protos"],
            swiftSettings: [.swiftLanguageMode(.v6)]),
        .target(
            name: "EtcdEngine",
            dependencies: [
                "EtcdAPI", "KeyValueStore", "LogFormat", "SystemSupport", "TransactionLog",
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: memorySafe),
        // The form of a backup.
        .target(
            name: "BackupArchive", dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: memorySafe),
        // What only the offline tools do with a folder.
        .target(
            name: "OfflineStore",
            dependencies: [
                "BackupArchive", "DurableFiles", "KeyValueStore", "LogFormat", "SystemSupport", "TransactionLog",
            ],
            swiftSettings: memorySafe),

        // Who may do what: the file with the access keys of clients, and what each of them permits.
        .target(
            name: "AccessControl",
            dependencies: ["JSON", "SystemSupport", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: memorySafe),

        // Observability.
        .target(
            name: "PrometheusMetrics",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: memorySafe
        ),
        .target(
            name: "JSONLogging",
            dependencies: ["JSON", "SystemSupport", .product(name: "Logging", package: "swift-log")],
            swiftSettings: memorySafe
        ),

        // What both services share, from the bottom up, and the services.
        .target(name: "ServiceSettings", dependencies: ["JSON", "SystemSupport"], swiftSettings: memorySafe),
        .target(
            name: "RequestTracing",
            dependencies: [
                "JSON", "PrometheusMetrics",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "HTTP1",
            dependencies: [
                "JSON",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        // TLS on connections of either side.
        .target(
            name: "TransportSecurity",
            dependencies: [
                "ServiceSettings", "SystemSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "HTTPClient",
            dependencies: [
                "TransportSecurity",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "TraceExport",
            dependencies: [
                "HTTP1", "HTTPClient", "JSON", "JSONLogging", "PrometheusMetrics", "RequestTracing", "ServiceSettings",
                "SystemSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        // The server knows what watches it and what admits requests as an interface and a function; both lie above it.
        .target(
            name: "HTTPServing",
            dependencies: [
                "AccessControl", "HTTP1", "JSON", "PrometheusMetrics", "RequestTracing", "ServiceSettings",
                "SystemSupport", "TransportSecurity",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .target(name: "CGzip", linkerSettings: [.linkedLibrary("z")]),
        .target(
            name: "Telemetry",
            dependencies: [
                "AccessControl", "CGzip", "HTTP1", "HTTPServing", "JSON", "JSONLogging", "PrometheusMetrics",
                "RequestTracing", "SystemSupport", "TraceExport", "TransportSecurity",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "Health",
            dependencies: [
                "HTTP1", "HTTPServing", "JSON", "SystemSupport", .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "Admin",
            dependencies: [
                "AccessControl", "HTTP1", "HTTPServing", "Health", "JSON", "JSONLogging", "PrometheusMetrics",
                "RequestTracing",
                "ServiceSettings", "SystemSupport", "Telemetry",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "KeyValueHTTP",
            dependencies: [
                "AccessControl", "HTTP1", "HTTPServing", "JSON",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .target(name: "CAllocator"),
        .target(
            name: "ServiceKit",
            dependencies: [
                "AccessControl", "Admin", "CAllocator", "HTTP1", "HTTPClient", "HTTPServing", "Health", "JSON",
                "JSONLogging",
                "PrometheusMetrics",
                "ServiceSettings", "SystemSupport", "Telemetry", "TraceExport", "TransportSecurity",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "KVService",
            dependencies: [
                "AccessControl", "Admin", "BackupArchive", "DurableFiles", "EtcdEngine", "Health", "HTTP1",
                "HTTPServing",
                "JSON", "JSONLogging", "KeyValueHTTP", "KeyValueStore", "LogFormat", "PrometheusMetrics",
                "RequestTracing", "ServiceKit",
                "ServiceSettings", "SystemSupport", "TransactionLog",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "APIGateway",
            dependencies: [
                "AccessControl", "Admin", "HTTP1", "HTTPServing", "Health", "JSON", "JSONLogging", "KeyValueHTTP",
                "PrometheusMetrics", "RequestTracing", "ServiceKit", "ServiceSettings", "SystemSupport",
                "TransportSecurity",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .executableTarget(
            name: "KVServiceMain",
            dependencies: [
                "KVService", "ServiceKit",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: memorySafe
        ),
        .executableTarget(
            name: "APIGatewayMain",
            dependencies: [
                "APIGateway", "ServiceKit",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: memorySafe
        ),
        .executableTarget(
            name: "TxlogTool",
            dependencies: [
                "DurableFiles", "JSON", "KeyValueStore", "LogFormat", "OfflineStore", "ServiceSettings",
                "SystemSupport", "TransactionLog",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: memorySafe
        ),

        // The client library, and the command that has all of it.
        .target(
            name: "KeyValueClient",
            dependencies: [
                "HTTP1", "JSON", "SystemSupport", "TransportSecurity",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .executableTarget(
            name: "KVCtl",
            dependencies: [
                "AccessControl", "BackupArchive", "DurableFiles", "JSON", "KeyValueClient", "KeyValueStore",
                "OfflineStore",
                "ServiceSettings", "SystemSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: memorySafe
        ),

        // The operators' dashboard. What it shows is pure: only the last three touch the terminal, the network and files.
        .target(
            name: "DashboardModel",
            dependencies: [
                "JSON"
            ], swiftSettings: memorySafe),
        .target(name: "CCharacterWidth"),
        .target(
            name: "DashboardRender",
            dependencies: [
                "CCharacterWidth", "DashboardModel",
            ],
            swiftSettings: memorySafe
        ),
        .target(name: "CTerminal", linkerSettings: [.linkedLibrary("ncursesw"), .linkedLibrary("tinfo")]),
        .target(
            name: "DashboardTerminal",
            dependencies: [
                "CTerminal", "DashboardModel", "DashboardRender", "SystemSupport",
            ],
            swiftSettings: memorySafe
        ),
        .target(
            name: "DashboardPolling",
            dependencies: [
                "DashboardModel", "JSON", "SystemSupport", "TransportSecurity",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: memorySafe
        ),
        .executableTarget(
            name: "KVTopMain",
            dependencies: [
                "DashboardModel", "DashboardPolling", "DashboardRender", "DashboardTerminal", "JSON",
                "ServiceSettings", "SystemSupport", "TransportSecurity",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: memorySafe
        ),

        // What the tests of several modules need: random numbers with a seed, temporary folders, waits with a limit.
        .target(
            name: "TestSupport",
            dependencies: [
                "SystemSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Tests/TestSupport",
            swiftSettings: strict
        ),
        // A file system in memory that loses and breaks what a real one may, for the tests of the log and the store.
        .target(
            name: "SimulatedStorage",
            dependencies: ["DurableFiles", "TestSupport"],
            path: "Tests/SimulatedStorage",
            swiftSettings: strict
        ),
        // Whether the answers that concurrent clients got fit one order of their operations.
        .target(name: "HistoryChecker", path: "Tests/HistoryChecker", swiftSettings: strict),
        .testTarget(
            name: "HistoryCheckerTests", dependencies: ["HistoryChecker", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "SystemSupportTests", dependencies: ["SystemSupport", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "OfflineStoreTests",
            dependencies: [
                "BackupArchive", "DurableFiles", "KeyValueStore", "LogFormat", "OfflineStore", "SimulatedStorage",
                "TestSupport", "TransactionLog",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "AccessControlTests", dependencies: ["AccessControl", "JSON", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "BackupArchiveTests", dependencies: ["BackupArchive", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "TransactionLogTests",
            dependencies: [
                "CChecksum", "DurableFiles", "LogFormat", "OfflineStore", "SimulatedStorage", "SystemSupport",
                "TestSupport", "TransactionLog",
            ],
            exclude: ["Golden"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "KeyValueStoreTests",
            dependencies: [
                "DurableFiles", "KeyValueStore", "LogFormat", "SimulatedStorage", "SystemSupport", "TestSupport",
                "TransactionLog",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "EtcdEngineTests",
            dependencies: [
                "EtcdAPI", "EtcdEngine", "KeyValueStore", "LogFormat", "TestSupport", "TransactionLog",
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PrometheusMetricsTests",
            dependencies: [
                "PrometheusMetrics", "SystemSupport", "TestSupport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "JSONLoggingTests",
            dependencies: [
                "JSON", "JSONLogging", "SystemSupport", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ServiceKitTests",
            dependencies: [
                "AccessControl", "Admin", "HTTP1", "HTTPClient", "HTTPServing", "Health", "JSON", "JSONLogging",
                "KeyValueHTTP",
                "PrometheusMetrics",
                "RequestTracing", "ServiceKit", "ServiceSettings", "SystemSupport", "Telemetry", "TestSupport",
                "TraceExport", "TransportSecurity",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "InMemoryLogging", package: "swift-log"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "KVServiceTests",
            dependencies: [
                "Admin", "DurableFiles", "Health", "HTTP1", "HTTPServing", "JSON", "JSONLogging", "KeyValueHTTP",
                "KeyValueStore", "KVService", "LogFormat", "PrometheusMetrics", "RequestTracing", "ServiceKit",
                "ServiceSettings", "SystemSupport", "TestSupport", "TraceExport", "TransactionLog",
                .product(name: "InMemoryLogging", package: "swift-log"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "APIGatewayTests",
            dependencies: [
                "AccessControl", "APIGateway", "Admin", "HTTP1", "HTTPServing", "Health", "JSON", "JSONLogging",
                "KeyValueHTTP",
                "PrometheusMetrics",
                "RequestTracing", "ServiceKit", "ServiceSettings", "SystemSupport", "TestSupport", "TraceExport",
                .product(name: "InMemoryLogging", package: "swift-log"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            exclude: ["Corpus"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "TxlogToolTests",
            dependencies: [
                "DurableFiles", "KeyValueStore", "LogFormat", "OfflineStore", "SimulatedStorage",
                "SystemSupport",
                "TestSupport", "TransactionLog", "TxlogTool",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "KeyValueClientTests",
            dependencies: ["KeyValueClient", "TestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "KVCtlTests",
            dependencies: ["AccessControl", "KeyValueClient", "KVCtl", "TestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DashboardTests",
            dependencies: [
                "DashboardModel", "DashboardPolling", "DashboardRender", "JSON", "SystemSupport", "TestSupport",
            ],
            exclude: ["Golden"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DocumentationTests",
            dependencies: [
                "APIGateway", "HTTP1", "HTTPServing", "KVService", "ServiceKit", "ServiceSettings", "TestSupport",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "AccessControl", "APIGatewayMain", "EtcdAPI", "EtcdEngine", "HistoryChecker", "KeyValueClient", "KVCtl",
                "KVServiceMain",
                "KVTopMain",
                "TestSupport", "TxlogTool",
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict
        ),
    ]
)
