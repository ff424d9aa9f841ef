//! Finds out whether a bucket keeps conditions on writing, before anybody relies on it.
//!
//! Some servers take `If-Match` and `If-None-Match`, ignore them, and lose updates without a word.

use super::{Bucket, BucketError, BucketResult, Version, Write};
use std::time::Duration;

/// Key prefix of the cells that a probe writes.
const PREFIX: &str = "probe";
const LIMIT: u64 = 1 << 16;
/// How often a write is tried whose answer does not come.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(50);

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
    let Some(first) = written(bucket, key, b"first", None)? else {
        return refused("it did not take a new object that nobody else can have written");
    };
    if !is_kept(bucket, key, b"second", None, &first)? {
        return refused(
            "it replaced an object that was to be written only if there was none (If-None-Match)",
        );
    }
    let Some(second) = written(bucket, key, b"third", Some(&first))? else {
        return refused("it did not replace an object whose version was right (If-Match)");
    };
    if !is_kept(bucket, key, b"fourth", Some(&first), &second)? {
        return refused("it replaced an object although its version had changed (If-Match)");
    }
    match patiently(|| bucket.read_cell(key, LIMIT))? {
        Some((bytes, version)) if bytes == b"third" && version == second => Ok(()),
        _ => refused("it does not give back what was written last"),
    }
}

/// Writes what nobody stands in the way of, and gives its version; `None` when it was not written. An answer that
/// was lost on its way says nothing, nor does a conflict with one's own request when that was made twice.
fn written(
    bucket: &dyn Bucket,
    key: &str,
    bytes: &[u8],
    seen: Option<&Version>,
) -> BucketResult<Option<Version>> {
    for _ in 0..ATTEMPTS {
        let write = patiently(|| bucket.write_cell(key, bytes, seen))?;
        if let Write::Done(version) = write {
            return Ok(Some(version));
        }
        match patiently(|| bucket.read_cell(key, LIMIT))? {
            Some((found, version)) if found == bytes => return Ok(Some(version)),
            _ if write == Write::Conflict => return Ok(None),
            _ => {}
        }
    }
    Err(unclear(key))
}

/// Tries to write what must not be written, and tells whether it was not: the cell still has that version.
fn is_kept(
    bucket: &dyn Bucket,
    key: &str,
    bytes: &[u8],
    seen: Option<&Version>,
    version: &Version,
) -> BucketResult<bool> {
    for _ in 0..ATTEMPTS {
        match patiently(|| bucket.write_cell(key, bytes, seen))? {
            Write::Done(_) => return Ok(false),
            Write::Conflict => return Ok(true),
            Write::Unknown => match patiently(|| bucket.read_cell(key, LIMIT))? {
                Some((_, found)) if found == *version => {}
                _ => return Ok(false),
            },
        }
    }
    Err(unclear(key))
}

/// Asks again what failed for now: a probe is no time to give up early.
fn patiently<T>(mut ask: impl FnMut() -> BucketResult<T>) -> BucketResult<T> {
    for attempt in 1..ATTEMPTS {
        match ask() {
            Err(error) if error.is_transient() => std::thread::sleep(PAUSE * attempt),
            outcome => return outcome,
        }
    }
    ask()
}

fn unclear(key: &str) -> BucketError {
    let source = "it did not answer clearly, however often it was asked".into();
    BucketError::Transient { action: "trying", key: key.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bucket::{FolderBucket, Listed, MemoryBucket};
    use std::ops::Range;

    /// Takes conditions and forgets them, as some servers do.
    #[derive(Debug, Default)]
    struct Forgetful(MemoryBucket);

    /// Keeps conditions; every other answer to a write is lost, or the write is made twice.
    #[derive(Debug, Default)]
    struct Muddled {
        inner: MemoryBucket,
        writes: std::sync::atomic::AtomicU64,
    }

    /// All but conditional writes.
    macro_rules! as_in {
        ($inner:tt) => {
            fn put(&self, key: &str, bytes: &[u8]) -> BucketResult<()> {
                self.$inner.put(key, bytes)
            }
            fn get(&self, key: &str, limit: u64) -> BucketResult<Option<Vec<u8>>> {
                self.$inner.get(key, limit)
            }
            fn get_range(&self, key: &str, range: Range<u64>) -> BucketResult<Option<Vec<u8>>> {
                self.$inner.get_range(key, range)
            }
            fn length(&self, key: &str) -> BucketResult<Option<u64>> {
                self.$inner.length(key)
            }
            fn delete(&self, key: &str) -> BucketResult<()> {
                self.$inner.delete(key)
            }
            fn read_cell(&self, key: &str, limit: u64) -> BucketResult<Option<(Vec<u8>, Version)>> {
                self.$inner.read_cell(key, limit)
            }
            fn list(&self, prefix: &str, each: &mut dyn FnMut(Listed)) -> BucketResult<()> {
                self.$inner.list(prefix, each)
            }
        };
    }

    impl Bucket for Forgetful {
        as_in!(0);
        fn write_cell(&self, key: &str, bytes: &[u8], _: Option<&Version>) -> BucketResult<Write> {
            let seen = self.0.read_cell(key, LIMIT)?.map(|(_, version)| version);
            self.0.write_cell(key, bytes, seen.as_ref())
        }
    }

    impl Bucket for Muddled {
        as_in!(inner);
        fn write_cell(&self, key: &str, bytes: &[u8], seen: Option<&Version>) -> BucketResult<Write> {
            let written = self.inner.write_cell(key, bytes, seen)?;
            match self.writes.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 3 {
                0 => self.inner.write_cell(key, bytes, seen),
                1 => Ok(Write::Unknown),
                _ => Ok(written),
            }
        }
    }

    #[test]
    fn a_bucket_that_forgets_conditions_is_found_out() {
        assert!(probe_conditions(&MemoryBucket::new(), "n").is_ok());
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(probe_conditions(&FolderBucket::open(folder.path()), "n").is_ok());
        // A bad line is no reason to accuse the store.
        for already in 0..3 {
            let muddled = Muddled { writes: already.into(), ..Muddled::default() };
            assert!(probe_conditions(&muddled, "n").is_ok(), "{already}");
        }
        let outcome = probe_conditions(&Forgetful::default(), "n");
        assert!(matches!(outcome, Err(BucketError::Unconditional { .. })), "{outcome:?}");
    }
}
