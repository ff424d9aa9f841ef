//! What was found sound, and when: so that the next check may leave it out.

use crate::base::id::PackId;
use crate::base::time::Timestamp;
use crate::care::error::CareError;
use crate::care::fsck::Options;
use crate::repo::{Repository, View};
use crate::store::{Access, PackRecord, Space, StoreError};

const PACK_PREFIX: &[u8] = b"fsck/pack/";
const LAST_KEY: &[u8] = b"fsck/last";

fn pack_key(pack: PackId) -> Vec<u8> {
    [PACK_PREFIX, pack.as_bytes().as_slice()].concat()
}

/// How many bytes of a pack were found sound at one time.
pub(super) fn checked_length(view: &View, pack: PackId) -> Result<u64, CareError> {
    let value = view.snapshot().get(Space::Settings, &pack_key(pack))?;
    let length = value.as_deref().and_then(|value| value.get(8..16)).and_then(|bytes| bytes.try_into().ok());
    Ok(length.map_or(0, u64::from_le_bytes))
}

/// When everything was found sound the last time, in milliseconds since 1970.
pub fn last_checked(view: &View) -> Result<Option<i64>, CareError> {
    let value = view.snapshot().get(Space::Settings, LAST_KEY)?;
    Ok(value.and_then(|bytes| bytes.try_into().ok()).map(i64::from_le_bytes))
}

/// Takes note that a pack was found sound as far as it is recorded.
pub(super) fn remember_pack(
    repository: &Repository,
    record: &PackRecord,
    now: Timestamp,
) -> Result<(), CareError> {
    let mut value = now.unix_ms.to_le_bytes().to_vec();
    value.extend_from_slice(&record.length.to_le_bytes());
    put(repository, &pack_key(record.id), &value)
}

/// Takes note that everything was found sound, and forgets packs that are gone.
pub(super) fn remember_moment(repository: &Repository, options: &Options) -> Result<(), CareError> {
    if options.sample < 10_000 || repository.store().access() == Access::ReadOnly {
        return Ok(());
    }
    let snapshot = repository.store().snapshot()?;
    let packs = snapshot.packs()?;
    let mut gone = Vec::new();
    for row in snapshot.scan_prefix(Space::Settings, PACK_PREFIX)? {
        let key = row?.0;
        let id = PackId::from_slice(&key[PACK_PREFIX.len()..]);
        if !packs.iter().any(|(_, record)| Some(record.id) == id) {
            gone.push(key);
        }
    }
    if !gone.is_empty() {
        let mut transaction = repository.store().begin()?;
        transaction.delete_all(Space::Settings, gone.iter().map(Vec::as_slice))?;
        transaction.commit()?;
    }
    put(repository, LAST_KEY, &options.now.unix_ms.to_le_bytes())
}

/// Writes a note. Where nothing may be written there is none, and nothing is wrong with that.
fn put(repository: &Repository, key: &[u8], value: &[u8]) -> Result<(), CareError> {
    if repository.store().access() == Access::ReadOnly {
        return Ok(());
    }
    let write = || -> Result<(), StoreError> {
        let mut transaction = repository.store().begin()?;
        transaction.put(Space::Settings, key, value)?;
        transaction.commit()
    };
    match write() {
        Err(StoreError::ReadOnly | StoreError::Io { .. } | StoreError::DiskFull { .. }) => Ok(()),
        written => Ok(written?),
    }
}
