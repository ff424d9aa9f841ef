//! Finds a number by a key among very many: sorted, and in a file but for every some hundredth key.

use crate::sync::error::SyncResult;
use crate::sync::listed::{BLOCK_RECORDS, Listed, Record};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

/// Half of a hash: nobody finds two things that share one.
pub(super) type ShortKey = [u8; 16];

/// Blocks that are sorted in memory: four million keys, 80 MB.
const RUN_BLOCKS: usize = 256;
/// Keys between two that are kept in memory, and are read at a time.
const STEP_RECORDS: usize = 512;

/// A key and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row(ShortKey, u32);

impl Record for Row {
    const BYTES: usize = 20;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
        out.extend_from_slice(&self.1.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (key, number) = bytes.split_first_chunk::<16>()?;
        Some(Self(*key, u32::from_le_bytes(number.try_into().ok()?)))
    }
}

/// Takes keys in any order.
#[derive(Debug)]
pub(super) struct Sorter {
    /// Sorted runs, one behind the other.
    runs: Listed<Row>,
    open: Vec<Row>,
    run_records: usize,
}

/// Keys and their numbers.
#[derive(Debug)]
pub(super) struct Sorted {
    rows: Listed<Row>,
    /// Every so many keys the first.
    fences: Vec<ShortKey>,
}

impl Sorter {
    /// What has no room in memory goes to files in a folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self::with_runs_of(folder, RUN_BLOCKS)
    }

    fn with_runs_of(folder: &Path, blocks: usize) -> Self {
        Self { runs: Listed::new(Some(folder)), open: Vec::new(), run_records: blocks * BLOCK_RECORDS }
    }

    /// Adds a key.
    pub(super) fn push(&mut self, key: ShortKey, number: u32) {
        self.open.push(Row(key, number));
        if self.open.len() == self.run_records {
            self.close_run();
        }
    }

    fn close_run(&mut self) {
        self.open.sort_unstable();
        self.open.drain(..).for_each(|row| self.runs.push(row));
    }

    /// Puts everything in order.
    pub(super) fn finish(mut self) -> SyncResult<Sorted> {
        self.close_run();
        self.open = Vec::new();
        let mut sorted = Sorted { rows: self.runs.beside(), fences: Vec::new() };
        let mut heads = BinaryHeap::new();
        let mut runs: Vec<Run> = (0..self.runs.len().div_ceil(self.run_records))
            .map(|number| Run { next: number * self.run_records, rows: Vec::new().into_iter() })
            .collect();
        for (number, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next(&self.runs)?.map(|row| Reverse((row, number))));
        }
        while let Some(Reverse((row, number))) = heads.pop() {
            sorted.push(row);
            if let Some(run) = runs.get_mut(number)
                && !run.is_over(self.run_records, number)
            {
                heads.extend(run.next(&self.runs)?.map(|row| Reverse((row, number))));
            }
        }
        Ok(sorted)
    }
}

/// One sorted run, as far as it was not taken.
struct Run {
    /// Where among all rows the next block of it begins.
    next: usize,
    rows: std::vec::IntoIter<Row>,
}

impl Run {
    fn is_over(&self, run_records: usize, number: usize) -> bool {
        self.rows.len() == 0 && self.next >= (number + 1) * run_records
    }

    fn next(&mut self, all: &Listed<Row>) -> SyncResult<Option<Row>> {
        if self.rows.len() == 0 {
            let block = all.block(self.next / BLOCK_RECORDS)?.map(std::borrow::Cow::into_owned);
            self.next += BLOCK_RECORDS;
            self.rows = block.unwrap_or_default().into_iter();
        }
        Ok(self.rows.next())
    }
}

impl Sorted {
    fn push(&mut self, row: Row) {
        if self.rows.len().is_multiple_of(STEP_RECORDS) {
            self.fences.push(row.0);
        }
        self.rows.push(row);
    }

    /// The number of a key; of several, the least.
    pub(super) fn find(&self, key: &ShortKey) -> SyncResult<Option<u32>> {
        // Of a key that stands on both sides of a fence the first is what is looked for.
        let after = self.fences.partition_point(|fence| fence < key);
        for step in after.saturating_sub(1)..(after + 1).min(self.fences.len()) {
            let start = step * STEP_RECORDS;
            let rows = self.rows.part(start / BLOCK_RECORDS, start % BLOCK_RECORDS, STEP_RECORDS)?;
            let at = rows.partition_point(|row| row.0 < *key);
            if let Some(row) = rows.get(at) {
                return Ok((row.0 == *key).then_some(row.1));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> ShortKey {
        let mut key = [0; 16];
        key.copy_from_slice(&blake3::hash(&number.to_le_bytes()).as_bytes()[..16]);
        key
    }

    #[test]
    fn every_key_is_found_however_many_there_are() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let block = BLOCK_RECORDS as u64;
        for count in [0, 1, 511, 512, 513, block - 1, block, 2 * block, 2 * block + 1, 7 * block + 100] {
            let mut sorter = Sorter::with_runs_of(folder.path(), 2);
            (0..count).for_each(|number| sorter.push(key(number), number as u32));
            let sorted = sorter.finish().expect("in order");
            assert_eq!(sorted.rows.len() as u64, count);
            for number in
                (0..count).step_by(7).chain([count.saturating_sub(1)]).filter(|number| *number < count)
            {
                assert_eq!(sorted.find(&key(number)).expect("an answer"), Some(number as u32), "of {count}");
            }
            for number in count..count + 100 {
                assert_eq!(sorted.find(&key(number)).expect("an answer"), None, "of {count}");
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn of_a_key_that_is_there_often_the_least_number_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut sorter = Sorter::with_runs_of(folder.path(), 1);
        for number in (0..2000).rev() {
            sorter.push(key(1), 7 + number);
            sorter.push(key(u64::from(number) + 10), 3);
        }
        let sorted = sorter.finish().expect("in order");
        assert_eq!(sorted.find(&key(1)).expect("an answer"), Some(7));
    }
}
