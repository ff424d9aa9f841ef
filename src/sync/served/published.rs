//! Which publications were made: so that one whose answer was lost, and that is told again, counts once. Of each there
//! is a row with its number; the newest stay.

use crate::repo::{Edit, View};
use crate::store::Space;
use crate::store::bucket::head::Token;
use crate::sync::error::SyncResult;
use crate::sync::remote::Published;

/// Key of the count of publications in the settings.
pub(super) const MARK_KEY: &[u8] = b"publications";
/// Prefix of the rows of publications in the settings.
const PREFIX: &[u8] = b"published/";
/// Publications that are remembered: more than a busy server sees in an hour. Whoever tells an older one again is told
/// that names have moved.
const KEPT: u64 = 1 << 14;
/// After so many publications the rows of old ones are looked for.
const SWEEP_EVERY: u64 = 1 << 10;

/// A number in the settings; 0 where there is none.
pub(super) fn count(view: &View, key: &[u8]) -> SyncResult<u64> {
    Ok(view.snapshot().get(Space::Settings, key)?.map_or(0, |bytes| number(&bytes)))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

/// What became of an earlier attempt at the same publication.
pub(super) fn published_before(view: &View, token: &Token) -> SyncResult<Option<Published>> {
    let mark: Option<Vec<u8>> = view.snapshot().get(Space::Settings, &row_key(token))?;
    Ok(mark.map(|bytes| Published { mark: number(&bytes), follows: None }))
}

/// Notes a publication, and forgets the oldest now and then.
pub(super) fn note_publication(edit: &mut Edit, token: &Token, mark: u64) -> SyncResult<()> {
    edit.transaction().put(Space::Settings, MARK_KEY, &mark.to_le_bytes())?;
    edit.transaction().put(Space::Settings, &row_key(token), &mark.to_le_bytes())?;
    if mark.is_multiple_of(SWEEP_EVERY) {
        forget_before(edit, mark.saturating_sub(KEPT))?;
    }
    Ok(())
}

/// Removes the rows of all publications before one.
fn forget_before(edit: &mut Edit, first: u64) -> SyncResult<()> {
    for (key, bytes) in edit.transaction().scan_prefix(Space::Settings, PREFIX)? {
        if number(&bytes) < first {
            edit.transaction().delete(Space::Settings, &key)?;
        }
    }
    Ok(())
}

fn row_key(token: &Token) -> Vec<u8> {
    [PREFIX, token].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RepositoryId;
    use crate::repo::Repository;
    use crate::store::StoreSettings;

    #[test]
    fn the_newest_publications_are_remembered_and_the_oldest_are_forgotten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = StoreSettings::new(RepositoryId::from_bytes([1; 16]));
        let repository = Repository::create(folder.path(), &settings).expect("a repository");
        let token = |mark: u64| -> Token {
            let mut token = [7; 16];
            token[..8].copy_from_slice(&mark.to_le_bytes());
            token
        };
        let mut edit = repository.edit().expect("an edit");
        let last = KEPT + 2 * SWEEP_EVERY + 5;
        for mark in 1..=last {
            note_publication(&mut edit, &token(mark), mark).expect("noted");
        }
        edit.commit().expect("kept");
        let view = repository.view().expect("a view");
        let rows = view.snapshot().scan_prefix(Space::Settings, PREFIX).expect("rows").count() as u64;
        assert!(rows <= KEPT + SWEEP_EVERY, "{rows} rows");
        for mark in [last, last - KEPT + SWEEP_EVERY] {
            let known = published_before(&view, &token(mark)).expect("an answer");
            assert_eq!(known, Some(Published { mark, follows: None }));
        }
        assert_eq!(published_before(&view, &token(1)).expect("an answer"), None);
        assert_eq!(count(&view, MARK_KEY).expect("a number"), last);
    }
}
