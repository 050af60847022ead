/// The staged entries that have an expiry time, the earliest first: a binary heap in which each entry knows its place, so
/// that an entry which is replaced or removed leaves it at once. 8 bytes for each entry, and 12 in the entry.
///
/// Confined to the writer of the index.
struct ExpiryQueue {
    private var heap: [Entry] = []

    var count: Int { self.heap.count }
    var first: Entry? { self.heap.first }

    mutating func insert(_ entry: Entry) {
        self.heap.append(entry)
        self.moveUp(entry, from: self.heap.count - 1)
    }

    mutating func remove(_ entry: Entry) {
        let place = entry.expiryPlace
        precondition(self.heap[place] == entry, "the entry is not where it says")
        guard let last = self.heap.popLast(), last != entry else { return }
        // The gap is above the last one's old place, but not always an ancestor of it.
        self.moveDown(last, from: place)
        if last.expiryPlace == place { self.moveUp(last, from: place) }
    }

    private mutating func moveUp(_ entry: Entry, from start: Int) {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            if self.heap[parent].expiresAt <= entry.expiresAt { break }
            self.put(self.heap[parent], at: place)
            place = parent
        }
        self.put(entry, at: place)
    }

    private mutating func moveDown(_ entry: Entry, from start: Int) {
        var place = start
        while true {
            var child = 2 * place + 1
            if child >= self.heap.count { break }
            if child + 1 < self.heap.count, self.heap[child + 1].expiresAt < self.heap[child].expiresAt { child += 1 }
            if entry.expiresAt <= self.heap[child].expiresAt { break }
            self.put(self.heap[child], at: place)
            place = child
        }
        self.put(entry, at: place)
    }

    private mutating func put(_ entry: Entry, at place: Int) {
        self.heap[place] = entry
        entry.expiryPlace = place
    }
}
