import HTTP1
import HTTPServing
import JSON
import NIOHTTP1

/// A request whose body is JSON and nothing else.
enum JSONBody {
    /// - Throws: 415 `unsupported_media_type`, 400 `unknown_parameter`.
    static func check(_ request: HTTPRequest, applied: Problem.Applied?) throws(Problem) {
        guard !request.hasQuery else {
            throw Problem(
                .badRequest, code: "unknown_parameter",
                detail: "The request has its content in the body; remove the query.",
                applied: applied)
        }
        let types = request.headers.elements(of: "content-type")
        let type = types.first.map { MediaType($0[...]) }
        let isJSON = types.isEmpty || types.count == 1 && type!.isNamed("application/json") && type!.isUTF8
        guard isJSON, !request.fields.hasContentEncoding else {
            throw Problem(
                .unsupportedMediaType, code: "unsupported_media_type",
                detail: "The request's body must be application/json in UTF-8, without a Content-Encoding.",
                applied: applied, headers: [("Accept", "application/json"), ("Accept-Post", "application/json")])
        }
    }

    /// Reads the objects of an array that has begun.
    static func forEachObject(
        _ tokenizer: inout JSONTokenizer, in name: String, applied: Problem.Applied?,
        _ body: (_ place: String, inout JSONTokenizer) throws(Problem) -> Void
    ) throws(Problem) {
        var count = 0
        while try BodyObject.reading(applied, { () throws(JSONSyntaxError) in try tokenizer.nextElement() }) {
            let place = "\(name)[\(count)]"
            guard
                case .beginObject = try BodyObject.reading(
                    applied, { () throws(JSONSyntaxError) in try tokenizer.value() })
            else {
                throw Problem(
                    .badRequest, code: "bad_json", detail: "In the body, \(place) is not an object.", applied: applied)
            }
            try body(place, &tokenizer)
            count += 1
        }
    }
}
