import Foundation
import TestSupport

enum Base64Text {
    static func decoded(_ text: String) -> [UInt8]? {
        Data(base64Encoded: text).map { Array($0) }
    }

    static func encoded(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
}

extension JSONObject {
    /// A key or value, which is a text, or the member `NAME_b64` in Base64 if it is not UTF-8.
    func bytes(_ name: String) -> [UInt8]? {
        self.string(name).map { Array($0.utf8) } ?? self.string("\(name)_b64").flatMap(Base64Text.decoded)
    }
}
