/// Looks for an order of operations that share keys, in which each answer is right and which keeps to their times: the
/// search of Wing and Gong, with Lowe's memory of the configurations that were seen.
///
/// Three things keep it short without changing its verdict. A read that fits now and teaches nothing is put in its place
/// at once: wherever else it fits, it fits here too. Of the changes whose revisions are known, the lowest comes first. A
/// change whose revision is not known needs one that no other change has.
struct HistorySearch {
    /// An operation, and what other answers say of it.
    struct Entry {
        var operation: HistoryOperation
        /// Of its change, if an answer or a read says it.
        var revision: UInt64?
        /// It took effect for certain.
        var isRequired: Bool
    }

    enum Outcome {
        case found
        /// The longest order that fits, and what the store holds behind it.
        case impossible([HistoryOperation], HistoryModel)
        /// There are more configurations than the limit.
        case undecided
    }

    private struct Configuration: Hashable {
        /// One bit for each entry.
        var done: [UInt64]
        var model: HistoryModel

        func has(_ entry: Int) -> Bool { self.done[entry / 64] >> UInt64(entry % 64) & 1 == 1 }
        mutating func add(_ entry: Int) { self.done[entry / 64] |= 1 << UInt64(entry % 64) }
    }

    private struct Node {
        var configuration: Configuration
        /// The entry that led here; -1 at the root.
        var chosen: Int
        /// How many required entries are done, and how many of `changes`.
        var required: Int
        var changes: Int
        var candidates: [Int] = []
    }

    /// In the order of their starts.
    private let entries: [Entry]
    /// Places of entries, by the known revisions of their changes.
    private let changes: [Int]
    private let places: [Int: Int]
    private let required: Int
    private let taken: Set<UInt64>
    private(set) var configurations = 0

    /// - Parameters:
    ///   - entries: that share keys.
    ///   - taken: the known revisions of all changes of the history, of these keys and others.
    init(_ entries: [Entry], taken: Set<UInt64>) {
        let entries = entries.sorted { $0.operation.start < $1.operation.start }
        self.entries = entries
        self.changes = entries.indices.filter { entries[$0].revision != nil }
            .sorted { entries[$0].revision! < entries[$1].revision! }
        self.places = Dictionary(uniqueKeysWithValues: entries.indices.map { (entries[$0].operation.id, $0) })
        self.required = entries.count { $0.isRequired }
        self.taken = taken
    }

    mutating func run(limit: Int) -> Outcome {
        var seen: Set<Configuration> = []
        let words = [UInt64](repeating: 0, count: self.entries.count / 64 + 1)
        var root = Node(
            configuration: Configuration(done: words, model: HistoryModel()), chosen: -1, required: 0, changes: 0)
        root.candidates = self.candidates(root)
        var stack = [root]
        var longest = stack
        while let node = stack.last {
            if node.required == self.required { return .found }
            guard let place = stack[stack.count - 1].candidates.popLast() else {
                stack.removeLast()
                continue
            }
            guard var next = self.step(node, place), seen.insert(next.configuration).inserted else { continue }
            self.configurations += 1
            if self.configurations > limit { return .undecided }
            next.candidates = self.candidates(next)
            stack.append(next)
            if next.required > longest.last!.required { longest = stack }
        }
        return .impossible(
            longest.dropFirst().map { self.entries[$0.chosen].operation }, longest.last!.configuration.model)
    }

    private func bounds(_ node: Node) -> HistoryModel.Bounds {
        let next = node.changes < self.changes.count ? self.entries[self.changes[node.changes]].revision! : .max
        return HistoryModel.Bounds(next: next, taken: self.taken)
    }

    /// The node behind an entry; nil if its answer is wrong here.
    private func step(_ node: Node, _ place: Int) -> Node? {
        var next = node
        let entry = self.entries[place]
        var bounds = self.bounds(node)
        if entry.revision != nil {
            guard node.changes < self.changes.count, self.changes[node.changes] == place else { return nil }
            next.changes += 1
            bounds = self.bounds(next)
        }
        guard next.configuration.model.apply(entry.operation, revision: entry.revision, bounds) else { return nil }
        next.configuration.add(place)
        next.chosen = place
        if entry.isRequired { next.required += 1 }
        return next
    }

    /// The entries that may come next, the likeliest last.
    private func candidates(_ node: Node) -> [Int] {
        var frontier = UInt64.max
        var open: [Int] = []
        for place in self.entries.indices {
            let entry = self.entries[place]
            // Later entries start later still.
            if entry.operation.start > frontier { break }
            if node.configuration.has(place) { continue }
            open.append(place)
            if entry.isRequired { frontier = min(frontier, entry.operation.end) }
        }
        open = open.filter {
            let after = self.entries[$0].operation.after
            return self.entries[$0].operation.start <= frontier
                && after.flatMap { self.places[$0] }.map { node.configuration.has($0) } != false
        }
        for place in open where self.entries[place].isRequired && !self.changes(self.entries[place]) {
            if let next = self.step(node, place), next.configuration.model == node.configuration.model {
                return [place]
            }
        }
        return open.sorted { self.rank($0) > self.rank($1) }
    }

    private func changes(_ entry: Entry) -> Bool { entry.operation.isUnknown || entry.operation.changed }

    /// Operations that took effect for certain come first, in the order of their ends.
    private func rank(_ place: Int) -> (Int, UInt64) {
        (self.entries[place].isRequired ? 0 : 1, self.entries[place].operation.end)
    }
}
