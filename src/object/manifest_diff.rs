//! Compares two files by their chunks: which byte ranges differ, and how much is shared.
//!
//! Both chunk lists are walked side by side. Nodes that stand in both are passed over unread, so
//! comparing two versions of a very large file costs as much as their difference. Where the lists
//! part, both are read ahead until a chunk of one turns up in the other.

use crate::base::id::ChunkId;
use crate::object::manifest::ChunkChild;
use crate::object::manifest_read::{ChunkCursor, ChunkItem, ChunkSpan, ManifestError, ManifestSource};
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

/// How many chunks of each side are held while looking for where the lists meet again: some nine
/// GiB of content, in some 30 MB of memory.
const AHEAD_CHUNKS_MAX: usize = 1 << 17;

/// Bytes of one file that stand in the place of bytes of another. Either range may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByteRangeChange {
    /// Where they were, in bytes from the start of the first file.
    pub before: Range<u64>,
    /// Where they are, in bytes from the start of the second file.
    pub after: Range<u64>,
}

/// How two files compare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Bytes of the second file in chunks that the first has too, wherever they stand there. A
    /// chunk that the first has once and the second repeats may count once only.
    pub shared_bytes: u64,
    /// What differs, in rising order, as fine as chunks are.
    pub ranges: Vec<ByteRangeChange>,
}

/// Compares two files.
///
/// Ranges are exact unless the files part for more than nine GiB; then they may be wider than need
/// be. Memory is bounded except for the ranges found; [`compare_chunks`] hands those out one by one.
pub fn shared_and_changed<S: ManifestSource>(
    before: ChunkCursor<'_, S>,
    after: ChunkCursor<'_, S>,
) -> Result<Comparison, ManifestError<S::Error>> {
    let mut ranges = Vec::new();
    let shared_bytes = compare_chunks(before, after, |change| ranges.push(change))?;
    Ok(Comparison { shared_bytes, ranges })
}

/// Does what [`shared_and_changed`] does, hands each range to `each`, and returns the shared bytes.
pub fn compare_chunks<S: ManifestSource>(
    before: ChunkCursor<'_, S>,
    after: ChunkCursor<'_, S>,
    each: impl FnMut(ByteRangeChange),
) -> Result<u64, ManifestError<S::Error>> {
    let mut before = Side { cursor: before, ahead: VecDeque::new() };
    let mut after = Side { cursor: after, ahead: VecDeque::new() };
    let mut changes = Changes { open: None, each, gone: HashSet::new(), come: Vec::new() };
    let mut shared_bytes = 0;
    loop {
        shared_bytes += pass_shared_nodes(&mut before, &mut after)?;
        match (before.next_chunk()?, after.next_chunk()?) {
            (None, None) => break,
            (Some(old), Some(new)) if old.id == new.id => shared_bytes += u64::from(new.length),
            (old, new) => {
                old.into_iter().for_each(|span| before.ahead.push_front(span));
                new.into_iter().for_each(|span| after.ahead.push_front(span));
                find_meeting(&mut before, &mut after, &mut changes)?;
            }
        }
    }
    Ok(shared_bytes + changes.finish())
}

/// One of the two lists, with chunks that were read before their turn.
struct Side<'a, S> {
    cursor: ChunkCursor<'a, S>,
    ahead: VecDeque<ChunkSpan>,
}

impl<S: ManifestSource> Side<'_, S> {
    fn next_chunk(&mut self) -> Result<Option<ChunkSpan>, ManifestError<S::Error>> {
        match self.ahead.pop_front() {
            Some(span) => Ok(Some(span)),
            None => self.cursor.next().transpose(),
        }
    }

    fn offset(&self) -> u64 {
        self.ahead.front().map_or(self.cursor.offset(), |span| span.offset)
    }

    /// The node that stands next, when nothing was read ahead.
    fn subtree(&self) -> Option<(ChunkChild, u8)> {
        match self.cursor.peek()? {
            ChunkItem::Subtree { child, level } if self.ahead.is_empty() => Some((child, level)),
            _ => None,
        }
    }
}

/// Goes past nodes that stand next on both sides, and into those that differ; returns the bytes
/// passed. Ends when a chunk stands next on either side.
fn pass_shared_nodes<S: ManifestSource>(
    before: &mut Side<'_, S>,
    after: &mut Side<'_, S>,
) -> Result<u64, ManifestError<S::Error>> {
    let mut passed = 0;
    while let (Some((old, old_level)), Some((new, new_level))) = (before.subtree(), after.subtree()) {
        if old.id == new.id {
            before.cursor.pass();
            after.cursor.pass();
            passed += new.bytes;
            continue;
        }
        if old_level >= new_level {
            before.cursor.enter()?;
        }
        if new_level >= old_level {
            after.cursor.enter()?;
        }
    }
    Ok(passed)
}

/// What was read of one side while looking for where the lists meet.
#[derive(Default)]
struct Ahead {
    spans: Vec<ChunkSpan>,
    /// Where each chunk stands first in `spans`.
    places: HashMap<ChunkId, usize>,
}

impl Ahead {
    fn push(&mut self, span: ChunkSpan) {
        self.places.entry(span.id).or_insert(self.spans.len());
        self.spans.push(span);
    }
}

/// Reads both sides ahead in turn until a chunk of one has turned up in the other, reports what
/// lies before it as changed, and leaves both sides in front of it.
fn find_meeting<S: ManifestSource>(
    before: &mut Side<'_, S>,
    after: &mut Side<'_, S>,
    changes: &mut Changes<impl FnMut(ByteRangeChange)>,
) -> Result<(), ManifestError<S::Error>> {
    let starts = (before.offset(), after.offset());
    let (mut old, mut new) = (Ahead::default(), Ahead::default());
    let mut meeting = None;
    while meeting.is_none() && old.spans.len().max(new.spans.len()) < AHEAD_CHUNKS_MAX {
        let (old_span, new_span) = (before.next_chunk()?, after.next_chunk()?);
        if old_span.is_none() && new_span.is_none() {
            break;
        }
        if let Some(span) = old_span {
            meeting = new.places.get(&span.id).map(|place| (old.spans.len(), *place));
            old.push(span);
        }
        if let Some(span) = new_span {
            let place = old.places.get(&span.id).map(|place| (*place, new.spans.len()));
            meeting = meeting.or(place);
            new.push(span);
        }
    }
    let (old_left, new_left) = meeting.unwrap_or((old.spans.len(), new.spans.len()));
    for span in old.spans.drain(old_left..).rev() {
        before.ahead.push_front(span);
    }
    for span in new.spans.drain(new_left..).rev() {
        after.ahead.push_front(span);
    }
    let change = ByteRangeChange { before: starts.0..before.offset(), after: starts.1..after.offset() };
    changes.add(change, &old.spans, &new.spans);
    Ok(())
}

/// Joins changes that touch, and remembers chunks that may have moved further than was looked.
struct Changes<F> {
    open: Option<ByteRangeChange>,
    each: F,
    gone: HashSet<ChunkId>,
    come: Vec<ChunkSpan>,
}

impl<F: FnMut(ByteRangeChange)> Changes<F> {
    fn add(&mut self, change: ByteRangeChange, gone: &[ChunkSpan], come: &[ChunkSpan]) {
        let room = AHEAD_CHUNKS_MAX.saturating_sub(self.gone.len());
        self.gone.extend(gone.iter().take(room).map(|span| span.id));
        let room = AHEAD_CHUNKS_MAX.saturating_sub(self.come.len());
        self.come.extend(come.iter().take(room));
        match &mut self.open {
            Some(open) if open.before.end == change.before.start && open.after.end == change.after.start => {
                open.before.end = change.before.end;
                open.after.end = change.after.end;
            }
            open => open.replace(change).into_iter().for_each(&mut self.each),
        }
    }

    /// Reports the last change; returns the bytes of chunks that were found elsewhere.
    fn finish(mut self) -> u64 {
        self.open.take().into_iter().for_each(&mut self.each);
        let moved = self.come.iter().filter(|span| self.gone.contains(&span.id));
        moved.map(|span| u64::from(span.length)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{FileId, ManifestNodeId};
    use crate::object::chunker::ChunkerParameters;
    use crate::object::manifest::{ChunkEntry, Manifest, ManifestNode};
    use crate::object::manifest_build::ManifestBuilder;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Nodes {
        bytes: BTreeMap<ManifestNodeId, Vec<u8>>,
        loads: AtomicUsize,
    }

    impl ManifestSource for Nodes {
        type Error = Infallible;

        fn manifest_node(&self, id: ManifestNodeId) -> Result<ManifestNode, Infallible> {
            self.loads.fetch_add(1, Ordering::Relaxed);
            Ok(ManifestNode::decode(&self.bytes[&id]).expect("a node that the writer wrote"))
        }
    }

    fn length(number: u32) -> u32 {
        20_000 + number % 10_000 * 7919 % 100_000
    }

    impl Nodes {
        fn manifest(&mut self, numbers: impl IntoIterator<Item = u32>) -> Manifest {
            let mut builder = ManifestBuilder::new();
            let mut emit = |id, bytes| {
                self.bytes.insert(id, bytes);
                Ok::<(), Infallible>(())
            };
            for number in numbers {
                let id = ChunkId::of(&number.to_le_bytes());
                let Ok(()) = builder.push_chunk(ChunkEntry { id, length: length(number) }, &mut emit);
            }
            let Ok(manifest) = builder.finish(FileId::empty(), ChunkerParameters::default().id(), &mut emit);
            manifest.expect("several chunks")
        }

        fn compare(&mut self, before: &[u32], after: &[u32]) -> Comparison {
            let (before, after) = (self.manifest(before.to_vec()), self.manifest(after.to_vec()));
            let cursor = |manifest| ChunkCursor::new(manifest, &*self);
            shared_and_changed(cursor(&before), cursor(&after)).expect("sound lists")
        }
    }

    fn bytes_of(numbers: &[u32]) -> u64 {
        numbers.iter().map(|number| u64::from(length(*number))).sum()
    }

    #[test]
    fn an_insertion_in_a_long_list_is_found_by_reading_a_few_nodes() {
        let mut nodes = Nodes::default();
        let before: Vec<u32> = (0..100_000).collect();
        let inserted: Vec<u32> = (1_000_000..1_000_014).collect();
        let after = [&before[..40_000], &inserted, &before[40_000..]].concat();
        let comparison = nodes.compare(&before, &after);
        let at = bytes_of(&before[..40_000]);
        let change = ByteRangeChange { before: at..at, after: at..at + bytes_of(&inserted) };
        assert_eq!(comparison.ranges, [change]);
        assert_eq!(comparison.shared_bytes, bytes_of(&before));
        let loads = nodes.loads.into_inner();
        assert!(loads < 20, "{loads} of {} nodes were loaded", nodes.bytes.len());
    }

    #[test]
    fn files_with_nothing_in_common_differ_in_one_range() {
        let before: Vec<u32> = (0..500).collect();
        let after: Vec<u32> = (500..800).collect();
        let comparison = Nodes::default().compare(&before, &after);
        let change = ByteRangeChange { before: 0..bytes_of(&before), after: 0..bytes_of(&after) };
        assert_eq!(comparison, Comparison { shared_bytes: 0, ranges: vec![change] });
    }

    #[test]
    fn halves_that_changed_places_count_as_shared() {
        let before: Vec<u32> = (0..1000).collect();
        let after = [&before[600..], &before[..600]].concat();
        let comparison = Nodes::default().compare(&before, &after);
        assert_eq!(comparison.shared_bytes, bytes_of(&before));
        assert!(!comparison.ranges.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Whatever lies between the ranges is the same on both sides, and nothing else is shared
        /// but chunks that moved.
        #[test]
        fn what_lies_between_the_ranges_is_the_same_on_both_sides(
            before in proptest::collection::vec(0u32..300, 2..400),
            edits in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..30, 0usize..30), 0..5),
        ) {
            let mut after = before.clone();
            for (place, removed, added) in edits {
                // Everything may have been removed by now.
                let start = if after.is_empty() { 0 } else { place.index(after.len()) };
                let end = after.len().min(start + removed);
                after.splice(start..end, (0..added as u32).map(|number| 1000 + number));
            }
            prop_assume!(after.len() > 1);
            let comparison = Nodes::default().compare(&before, &after);
            let (mut old_at, mut new_at) = (0, 0);
            let end = ByteRangeChange {
                before: bytes_of(&before)..0,
                after: bytes_of(&after)..0,
            };
            let mut same = 0;
            for change in comparison.ranges.iter().chain([&end]) {
                let old = numbers_in(&before, old_at..change.before.start);
                prop_assert_eq!(&old, &numbers_in(&after, new_at..change.after.start));
                same += bytes_of(&old);
                (old_at, new_at) = (change.before.end, change.after.end);
            }
            let kept = after.iter().filter(|number| before.contains(number)).copied().collect::<Vec<_>>();
            prop_assert!((same..=bytes_of(&kept)).contains(&comparison.shared_bytes));
        }
    }

    /// The chunks that fill this range exactly.
    fn numbers_in(numbers: &[u32], range: Range<u64>) -> Vec<u32> {
        let mut offset = 0;
        let mut found = Vec::new();
        for number in numbers {
            let end = offset + u64::from(length(*number));
            if range.start <= offset && end <= range.end {
                found.push(*number);
            }
            offset = end;
        }
        assert_eq!(bytes_of(&found), range.end - range.start, "the range begins and ends at chunks");
        found
    }
}
