//! Finds out whether a bucket keeps conditions on writing, before anybody relies on it.
//!
//! Some servers take `If-Match` and `If-None-Match`, ignore them, and lose updates without a word.

use super::{Bucket, BucketError, BucketResult, Version, Write};

/// Key prefix of the cells that a probe writes.
const PREFIX: &str = "probe";
const LIMIT: u64 = 1 << 16;

/// Tries conditional writes on a cell of its own, named by `nonce`, and removes it.
///
/// # Errors
/// [`BucketError::Unconditional`] when a condition was not kept.
pub fn probe_conditions(bucket: &dyn Bucket, nonce: &str) -> BucketResult<()> {
    let key = format!("{PREFIX}/{nonce}");
    let outcome = try_conditions(bucket, &key);
    // What stays of the probe harms nobody.
    let _ = bucket.delete(&key);
    outcome
}

fn try_conditions(bucket: &dyn Bucket, key: &str) -> BucketResult<()> {
    let refused = |reason| Err(BucketError::Unconditional { reason });
    let Write::Done(first) = bucket.write_cell(key, b"first", None)? else {
        return refused("it did not take a new object that nobody else can have written");
    };
    if !matches!(bucket.write_cell(key, b"second", None)?, Write::Conflict) {
        return refused(
            "it replaced an object that was to be written only if there was none (If-None-Match)",
        );
    }
    let Write::Done(second) = bucket.write_cell(key, b"third", Some(&first))? else {
        return refused("it did not replace an object whose version was right (If-Match)");
    };
    if !matches!(bucket.write_cell(key, b"fourth", Some(&first))?, Write::Conflict) {
        return refused("it replaced an object although its version had changed (If-Match)");
    }
    match bucket.read_cell(key, LIMIT)? {
        Some((bytes, version)) if bytes == b"third" && is_same(&version, &second) => Ok(()),
        _ => refused("it does not give back what was written last"),
    }
}

fn is_same(left: &Version, right: &Version) -> bool {
    left == right
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bucket::{FolderBucket, Listed, MemoryBucket};
    use std::ops::Range;

    /// Takes conditions and forgets them, as some servers do.
    #[derive(Debug, Default)]
    struct Forgetful(MemoryBucket);

    impl Bucket for Forgetful {
        fn put(&self, key: &str, bytes: &[u8]) -> BucketResult<()> {
            self.0.put(key, bytes)
        }
        fn get(&self, key: &str, limit: u64) -> BucketResult<Option<Vec<u8>>> {
            self.0.get(key, limit)
        }
        fn get_range(&self, key: &str, range: Range<u64>) -> BucketResult<Option<Vec<u8>>> {
            self.0.get_range(key, range)
        }
        fn length(&self, key: &str) -> BucketResult<Option<u64>> {
            self.0.length(key)
        }
        fn delete(&self, key: &str) -> BucketResult<()> {
            self.0.delete(key)
        }
        fn read_cell(&self, key: &str, limit: u64) -> BucketResult<Option<(Vec<u8>, Version)>> {
            self.0.read_cell(key, limit)
        }
        fn write_cell(&self, key: &str, bytes: &[u8], _: Option<&Version>) -> BucketResult<Write> {
            let seen = self.0.read_cell(key, LIMIT)?.map(|(_, version)| version);
            self.0.write_cell(key, bytes, seen.as_ref())
        }
        fn list(&self, prefix: &str, each: &mut dyn FnMut(Listed)) -> BucketResult<()> {
            self.0.list(prefix, each)
        }
    }

    #[test]
    fn a_bucket_that_forgets_conditions_is_found_out() {
        assert!(probe_conditions(&MemoryBucket::new(), "n").is_ok());
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(probe_conditions(&FolderBucket::open(folder.path()), "n").is_ok());
        let outcome = probe_conditions(&Forgetful::default(), "n");
        assert!(matches!(outcome, Err(BucketError::Unconditional { .. })), "{outcome:?}");
    }
}
