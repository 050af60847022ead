import Foundation
import HTTP1
import HTTPServing
import TestSupport

/// `Docs/openapi.json`.
struct OpenAPIDocument {
    private typealias Object = [String: Any]

    struct Malformed: Error {
        let description: String
    }

    /// One status of an operation.
    struct Response {
        let status: UInt
        /// Those that kv-service gives, and those that only the gateway gives.
        let codes: Set<String>
        let gatewayCodes: Set<String>
        /// Whether an answer with this status can be something else than a problem.
        let isSuccess: Bool
        /// What `applied` can be, by code; nothing for a code without it.
        let applied: [String: Set<String>]
    }

    struct Operation {
        let path: String
        let method: RequestMethod
        let services: Set<String>
        /// Whether its path is the same at both services.
        let isOfOperators: Bool
        let headers: Set<String>
        let responses: [Response]
    }

    let operations: [Operation]
    /// What also a request is answered with that is no operation.
    let problemsOfAnyRequest: Set<ProblemKind>
    private let root: Object

    init() throws {
        let data = Data(try Repository.text("Docs/openapi.json").utf8)
        guard let root = try JSONSerialization.jsonObject(with: data) as? Object else {
            throw Malformed(description: "the document is not an object")
        }
        self.root = root
        let any = try Self.object(root, "components", "schemas", "ProblemOfAnyRequest")
        self.problemsOfAnyRequest = Set(
            try (any["oneOf"] as? [Object] ?? []).flatMap { row in
                let status = try Self.object(row, "properties", "status")["const"] as? UInt ?? 0
                let codes = try Self.object(row, "properties", "code")["enum"] as? [String] ?? []
                return codes.map { ProblemKind(status, $0) }
            })
        var operations: [Operation] = []
        for (path, item) in try Self.object(root, "paths") {
            guard let item = item as? Object else { throw Malformed(description: path) }
            let services = (item["servers"] ?? root["servers"]) as? [Object] ?? []
            for method in RequestMethod.allCases {
                guard let operation = item[method.name.description.lowercased()] as? Object else { continue }
                operations.append(
                    Operation(
                        path: path, method: method, services: Set(services.compactMap { $0["description"] as? String }),
                        isOfOperators: item["servers"] != nil, headers: try Self.headers(operation, root),
                        responses: try Self.responses(operation, root)))
            }
        }
        self.operations = operations
    }

    // MARK: - Reading

    private static func object(_ object: Object, _ names: String...) throws -> Object {
        try names.reduce(object) { part, name in
            guard let part = part[name] as? Object else { throw Malformed(description: "no object \(name)") }
            return part
        }
    }

    /// The component that a reference names; any other part as it is.
    private static func resolved(_ part: Any?, _ root: Object) throws -> Object {
        guard let part = part as? Object else { throw Malformed(description: "no object: \(String(describing: part))") }
        guard let reference = part["$ref"] as? String else { return part }
        return try reference.dropFirst(2).split(separator: "/").reduce(root) { part, name in
            guard let part = part[String(name)] as? Object else { throw Malformed(description: reference) }
            return part
        }
    }

    private static func headers(_ operation: Object, _ root: Object) throws -> Set<String> {
        let parameters = try (operation["parameters"] as? [Any] ?? []).map { try Self.resolved($0, root) }
        return Set(parameters.filter { $0["in"] as? String == "header" }.compactMap { $0["name"] as? String })
    }

    private static func responses(_ operation: Object, _ root: Object) throws -> [Response] {
        try Self.object(operation, "responses").map { status, response in
            guard let status = UInt(status) else { throw Malformed(description: "the status \(status)") }
            let content = try Self.resolved(response, root)["content"] as? Object ?? [:]
            let isSuccess = content.isEmpty || content.keys.contains { $0 != "application/problem+json" }
            guard let problem = content["application/problem+json"] as? Object else {
                return Response(status: status, codes: [], gatewayCodes: [], isSuccess: isSuccess, applied: [:])
            }
            let schema = try Self.object(problem, "schema")
            let code = try Self.object(schema, "properties", "code")
            let codes = Set(code["enum"] as? [String] ?? [])
            let gatewayCodes = Set(code["x-api-gateway-only"] as? [String] ?? [])
            guard !codes.isEmpty, gatewayCodes.isSubset(of: codes) else {
                throw Malformed(description: "the codes of \(status)")
            }
            return Response(
                status: status, codes: codes.subtracting(gatewayCodes), gatewayCodes: gatewayCodes,
                isSuccess: isSuccess, applied: try Self.applied(schema, codes))
        }
    }

    /// A schema has one `applied` for all its codes, or alternatives for some of them each.
    private static func applied(_ schema: Object, _ codes: Set<String>) throws -> [String: Set<String>] {
        guard (schema["required"] as? [String])?.contains("applied") == true else { return [:] }
        var applied: [String: Set<String>] = [:]
        for part in schema["anyOf"] as? [Object] ?? [schema] {
            let values = try Self.object(part, "properties", "applied")
            // The gateway's own word about any write that it repeated is a rule in Docs/API.md, not in its table.
            let ruled = values["x-api-gateway-only"] as? [String] ?? []
            let words = values["enum"] as? [String] ?? [values["const"] as? String].compactMap { $0 }
            for code in try Self.object(part, "properties", "code")["enum"] as? [String] ?? [] {
                applied[code] = Set(words).subtracting(ruled)
            }
        }
        guard Set(applied.keys) == codes else { throw Malformed(description: "a code without applied in \(codes)") }
        return applied
    }
}
