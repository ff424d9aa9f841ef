//! A bucket that fails on purpose, for tests.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Bucket, BucketError, BucketResult, Listed, Version, Write};

/// What happens at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it works.
    None,
    /// The request never arrives.
    Before,
    /// The request is carried out and its answer is lost.
    After,
}

/// Decides for the `n`th operation, counted from 0, of the named method.
type Decide = dyn Fn(u64, &'static str) -> Fault + Send + Sync;

/// Wraps a bucket and has operations fail as told.
pub struct FaultyBucket<B> {
    inner: B,
    decide: Box<Decide>,
    operations: AtomicU64,
}

impl<B: std::fmt::Debug> std::fmt::Debug for FaultyBucket<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultyBucket").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<B: Bucket> FaultyBucket<B> {
    /// Asks `decide` before each operation what is to happen.
    pub fn new(inner: B, decide: impl Fn(u64, &'static str) -> Fault + Send + Sync + 'static) -> Self {
        Self { inner, decide: Box::new(decide), operations: AtomicU64::new(0) }
    }

    /// How many operations were begun.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// The bucket that works.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    fn faulty<T>(
        &self,
        action: &'static str,
        key: &str,
        run: impl FnOnce(&B) -> BucketResult<T>,
    ) -> BucketResult<T> {
        let number = self.operations.fetch_add(1, Ordering::Relaxed);
        let fault = (self.decide)(number, action);
        let lost = || BucketError::Transient {
            action,
            key: key.to_owned(),
            source: Box::new(std::io::Error::other("a fault on purpose")),
        };
        match fault {
            Fault::None => run(&self.inner),
            Fault::Before => Err(lost()),
            Fault::After => run(&self.inner).and_then(|_| Err(lost())),
        }
    }
}

impl<B: Bucket> Bucket for FaultyBucket<B> {
    fn put(&self, key: &str, bytes: &[u8]) -> BucketResult<()> {
        self.faulty("put", key, |inner| inner.put(key, bytes))
    }

    fn goes_on(&self, length: u64) -> bool {
        self.inner.goes_on(length)
    }

    fn give_up_what_was_left(&self) {
        self.inner.give_up_what_was_left();
    }

    fn get(&self, key: &str, limit: u64) -> BucketResult<Option<Vec<u8>>> {
        self.faulty("get", key, |inner| inner.get(key, limit))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> BucketResult<Option<Vec<u8>>> {
        self.faulty("get_range", key, |inner| inner.get_range(key, range))
    }

    fn length(&self, key: &str) -> BucketResult<Option<u64>> {
        self.faulty("length", key, |inner| inner.length(key))
    }

    fn delete(&self, key: &str) -> BucketResult<()> {
        self.faulty("delete", key, |inner| inner.delete(key))
    }

    fn read_cell(&self, key: &str, limit: u64) -> BucketResult<Option<(Vec<u8>, Version)>> {
        self.faulty("read_cell", key, |inner| inner.read_cell(key, limit))
    }

    fn earlier_cells(&self, key: &str, limit: u64) -> BucketResult<Vec<Vec<u8>>> {
        self.faulty("earlier_cells", key, |inner| inner.earlier_cells(key, limit))
    }

    fn write_cell(&self, key: &str, bytes: &[u8], seen: Option<&Version>) -> BucketResult<Write> {
        let outcome = self.faulty("write_cell", key, |inner| inner.write_cell(key, bytes, seen));
        match outcome {
            // Whoever does not hear the answer does not know.
            Err(BucketError::Transient { .. }) => Ok(Write::Unknown),
            other => other,
        }
    }

    fn clock_ms(&self) -> BucketResult<Option<i64>> {
        self.faulty("clock", "", Bucket::clock_ms)
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(Listed)) -> BucketResult<()> {
        self.faulty("list", prefix, |inner| inner.list(prefix, each))
    }
}
