public import ServiceSettings

/// The proxies whose `X-Forwarded-For` is believed.
///
/// Each proxy appends the address from which a request came to it. So the list is read from its end: as long as an
/// address is that of a trusted proxy, the one before it was reported by that proxy. The first address that is no trusted
/// proxy is the client; what is to the left of it may be invented.
public struct TrustedProxies: Sendable {
    public let ranges: [AddressRange]

    public init(_ ranges: [AddressRange]) { self.ranges = ranges }

    public func contains(_ address: IPAddress) -> Bool {
        for range in self.ranges where range.contains(address) { return true }
        return false
    }

    /// The client for which a trusted proxy sent a request.
    ///
    /// - Parameter lists: the values of all `X-Forwarded-For` fields, in their order.
    /// - Returns: nil if no proxy has reported an address. If an element is no address, the last proxy before it counts as
    ///   the client.
    public func client(in lists: [String]) -> IPAddress? {
        var client: IPAddress?
        for list in lists.reversed() {
            for element in list.split(separator: ",", omittingEmptySubsequences: false).reversed() {
                guard let address = Self.address(in: element) else { return client }
                client = address
                if !self.contains(address) { return client }
            }
        }
        return client
    }

    /// An address, as it is, in brackets, or with a port.
    private static func address(in element: Substring) -> IPAddress? {
        let text = element.trimmed
        if let address = IPAddress(text) { return address }
        if text.first == "[", let end = text.firstIndex(of: "]") {
            let rest = text[text.index(after: end)...]
            return rest.isEmpty || Self.isPort(rest) ? IPAddress(text[text.index(after: text.startIndex)..<end]) : nil
        }
        guard let colon = text.firstIndex(of: ":"), Self.isPort(text[colon...]) else { return nil }
        return IPAddress(text[..<colon])
    }

    /// Whether it is a colon and a port.
    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && (2...6).contains(text.utf8.count)
            && text.utf8.dropFirst().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}

extension Substring {
    /// Without blanks at both ends.
    fileprivate var trimmed: Substring {
        var text = self
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
