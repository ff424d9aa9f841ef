//! A bucket in memory: the simplest thing that keeps the promises, for tests and as their yardstick.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Bucket, BucketError, BucketResult, Listed, Version, Write, check_key};

#[derive(Debug)]
struct Kept {
    bytes: Vec<u8>,
    version: u64,
    written: Instant,
}

/// Objects in a map.
#[derive(Debug, Default)]
pub struct MemoryBucket {
    objects: Mutex<BTreeMap<String, Kept>>,
}

impl MemoryBucket {
    /// An empty bucket.
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the bytes of an object behind everybody's back, for tests of damage.
    pub fn tamper(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(kept) = self.objects().get_mut(key) {
            change(&mut kept.bytes);
        }
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.objects().keys().cloned().collect()
    }
}

impl Bucket for MemoryBucket {
    fn put(&self, key: &str, bytes: &[u8]) -> BucketResult<()> {
        check_key(key)?;
        let kept = Kept { bytes: bytes.to_vec(), version: 0, written: Instant::now() };
        self.objects().insert(key.to_owned(), kept);
        Ok(())
    }

    fn get(&self, key: &str, limit: u64) -> BucketResult<Option<Vec<u8>>> {
        check_key(key)?;
        let objects = self.objects();
        let Some(kept) = objects.get(key) else { return Ok(None) };
        if kept.bytes.len() as u64 > limit {
            return Err(too_long("reading", key));
        }
        Ok(Some(kept.bytes.clone()))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> BucketResult<Option<Vec<u8>>> {
        check_key(key)?;
        let objects = self.objects();
        let Some(kept) = objects.get(key) else { return Ok(None) };
        let part = kept.bytes.get(range.start as usize..range.end as usize);
        part.map(|part| Some(part.to_vec())).ok_or_else(|| BucketError::CutShort { key: key.to_owned() })
    }

    fn length(&self, key: &str) -> BucketResult<Option<u64>> {
        check_key(key)?;
        Ok(self.objects().get(key).map(|kept| kept.bytes.len() as u64))
    }

    fn delete(&self, key: &str) -> BucketResult<()> {
        check_key(key)?;
        self.objects().remove(key);
        Ok(())
    }

    fn read_cell(&self, key: &str, limit: u64) -> BucketResult<Option<(Vec<u8>, Version)>> {
        let version = self.objects().get(key).map(|kept| kept.version);
        let bytes = self.get(key, limit)?;
        Ok(bytes.zip(version).map(|(bytes, version)| (bytes, Version(version.to_string()))))
    }

    fn write_cell(&self, key: &str, bytes: &[u8], seen: Option<&Version>) -> BucketResult<Write> {
        check_key(key)?;
        let mut objects = self.objects();
        let actual = objects.get(key).map(|kept| Version(kept.version.to_string()));
        if actual.as_ref() != seen {
            return Ok(Write::Conflict);
        }
        let version = objects.get(key).map_or(1, |kept| kept.version + 1);
        objects.insert(key.to_owned(), Kept { bytes: bytes.to_vec(), version, written: Instant::now() });
        Ok(Write::Done(Version(version.to_string())))
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(Listed)) -> BucketResult<()> {
        for (key, kept) in self.objects().iter().filter(|(key, _)| key.starts_with(prefix)) {
            let length = kept.bytes.len() as u64;
            each(Listed { key: key.clone(), length, age: kept.written.elapsed() });
        }
        Ok(())
    }
}

/// More bytes than the caller is ready to take.
pub(super) fn too_long(action: &'static str, key: &str) -> BucketError {
    let source = std::io::Error::other("it is longer than it may be");
    BucketError::Failed { action, key: key.to_owned(), source: Box::new(source) }
}
