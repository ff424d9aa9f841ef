//! Fuzz targets of what lies in a bucket.

use crate::base::fuzz::{Numbers, Target, Verdict, canonical};
use crate::base::id::{PackId, RepositoryId};
use crate::object::chunker::ChunkerParameters;
use crate::store::bucket::head::Head;
use crate::store::bucket::index::{IndexBuilder, IndexDamage, IndexFile, IndexKey, IndexPlace, IndexedPack};

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("bucket: head", &["store/bucket/head.rs"], head_seeds, |bytes| {
        canonical(Head::decode(bytes), |head| head.encode().unwrap_or_default())
    })
    .mended_by(mend_head),
    Target::new("bucket: index", &["store/bucket/index.rs"], index_seeds, run_index).mended_by(mend_index),
];

fn head_seeds() -> Vec<Vec<u8>> {
    let one = |seed| {
        let numbers = &mut Numbers::new(seed);
        let mut head = Head::new(RepositoryId::from_bytes(numbers.array()), ChunkerParameters::default());
        for _ in 0..numbers.below(4) {
            head.note(numbers.array());
            head.refs.insert(format!("branch/draft/{}", numbers.below(99)), numbers.bytes(40));
        }
        head.encode().unwrap_or_default()
    };
    (0..8).map(one).collect()
}

fn mend_head(bytes: &mut [u8]) {
    if let Some(split) = bytes.len().checked_sub(32) {
        let sum = blake3::derive_key("pentimento bucket head v1", &bytes[..split]);
        bytes[split..].copy_from_slice(&sum);
    }
}

fn index_seeds() -> Vec<Vec<u8>> {
    let one = |seed| {
        let numbers = &mut Numbers::new(seed);
        let mut builder = IndexBuilder::default();
        for _ in 0..numbers.below(40) {
            let id = PackId::from_bytes([numbers.below(3) as u8; 16]);
            let pack = IndexedPack { id, kind: 1, length: 1 << 20, generation: 7 };
            let key = IndexKey { id: numbers.array(), kind: 1 };
            builder.push(key, IndexPlace { pack, offset: numbers.next() as u32, length: 99 });
        }
        builder.finish().1
    };
    (0..8).map(one).collect()
}

/// Puts the checksum of the tail right; pages keep theirs.
fn mend_index(bytes: &mut [u8]) {
    let Some(split) = bytes.len().checked_sub(64) else { return };
    let Ok(tail) = IndexFile::tail_length(&bytes[split..]) else { return };
    let Some(start) = usize::try_from(tail).ok().and_then(|tail| bytes.len().checked_sub(tail)) else {
        return;
    };
    let sum = blake3::hash(&bytes[start..split + 24]);
    bytes[split + 24..split + 56].copy_from_slice(sum.as_bytes());
}

fn run_index(bytes: &[u8]) -> Verdict {
    let Ok(file) = IndexFile::whole(bytes) else { return Verdict::Refused };
    let read = |_: u64, _: usize| Err(IndexDamage);
    let mut count = 0;
    let walked = file.each(&read, |key, place| {
        count += 1;
        match file.find_all(&[key], &read)?.first() {
            Some(Some(found)) if *found == place => Ok(()),
            _ => Err(IndexDamage),
        }
    });
    match walked {
        Ok(()) if count == file.entries() => Verdict::Understood,
        Ok(()) => Verdict::Wrong(format!("{count} of {} keys were found", file.entries())),
        Err(IndexDamage) => Verdict::Refused,
    }
}
