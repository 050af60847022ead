import HTTP1
public import HTTPServing

/// The format in which a client wants a value, by its `Accept`.
public enum ValueRepresentation: Sendable {
    /// `{"status":"ok","value":…}`
    case json
    /// The bytes of the value as `application/octet-stream`.
    case raw

    /// Raw if `Accept` contains `application/octet-stream` itself, with a weight above 0 and not below the weight of
    /// `application/json`. Wildcards mean JSON.
    public init(of request: HTTPRequest) {
        let accept = request.fields.accept
        // What almost every program sends: no parsing is needed.
        if accept.count == 0 || accept.count == 1 && request.equals(accept.value, "*/*") {
            self = .json
        } else if accept.count == 1, request.equals(accept.value, "application/octet-stream") {
            self = .raw
        } else {
            self.init(accept: request.headers)
        }
    }

    init(accept headers: HeaderFields) {
        var rawWeight = 0
        var jsonWeight = 0
        for element in headers.elements(of: "accept") {
            let type = MediaType(element[...])
            if type.isNamed("application/octet-stream") {
                rawWeight = max(rawWeight, type.weight)
            } else if type.isNamed("application/json") {
                jsonWeight = max(jsonWeight, type.weight)
            }
        }
        self = rawWeight > 0 && rawWeight >= jsonWeight ? .raw : .json
    }
}
