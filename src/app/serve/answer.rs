//! Answers one request for one caller: permission first, then the repository.

use crate::app::common::rules::Rules;
use crate::app::error::AppError;
use crate::app::serve::rights::Rights;
use crate::base::time::Timestamp;
use crate::repo::Repository;
use crate::rules::access::Permission;
use crate::rules::pattern::Pattern;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::readable::Readable;
use crate::sync::served::{Caller, ServedRemote};
use crate::sync::wire::request::{Request, Verb};
use crate::sync::wire::serve::{self, FrameSink};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Sets of paths whose readable files are kept in mind at a time.
const READERS_MAX: usize = 64;

/// The permission that a request needs: each needs exactly one.
pub const fn needed(verb: Verb) -> Permission {
    match verb {
        Verb::Describe
        | Verb::Have
        | Verb::History
        | Verb::Objects
        | Verb::Chunks
        | Verb::Clock
        | Verb::Keep => Permission::Read,
        Verb::Put | Verb::Holds | Verb::Publish => Permission::Push,
        Verb::Begin => Permission::Begin,
    }
}

/// Refuses what the caller may not do.
pub fn insist(rights: &Rights, verb: Verb) -> SyncResult<()> {
    let permission = needed(verb);
    if rights.may.contains(&permission) {
        return Ok(());
    }
    let what = match permission {
        Permission::Read => "read this repository, if it exists",
        Permission::Push => "push to this repository",
        Permission::Lock => "lock assets of this repository",
        Permission::Administer => "administer this repository",
        Permission::Begin => "begin a repository here",
    };
    Err(SyncError::NotAllowed { what: what.to_owned() })
}

/// By the paths that are withheld.
type Known = HashMap<Vec<String>, Arc<Readable>>;

/// What callers may read of one repository from whom paths are withheld; worked out once for each set of
/// paths. Those of a copy are others, since what may be read goes by what its own branches lead to.
#[derive(Debug, Default)]
pub struct Readers(Mutex<Known>);

impl Readers {
    fn of(&self, hidden: &[Pattern]) -> Option<Arc<Readable>> {
        if hidden.is_empty() {
            return None;
        }
        let key = hidden.iter().map(|pattern| pattern.as_str().to_owned()).collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= READERS_MAX && !known.contains_key(&key) {
            known.clear();
        }
        Some(known.entry(key).or_insert_with(|| Arc::new(Readable::new(hidden.to_vec()))).clone())
    }
}

/// Answers one request to a repository that is there, made at a moment.
pub fn answer(
    repository: &Repository,
    rights: &Rights,
    readers: &Readers,
    (request, now): (Request, Timestamp),
    out: &mut FrameSink<'_>,
) -> SyncResult<()> {
    insist(rights, request.verb())?;
    let readable = readers.of(&rights.hidden);
    let caller = Caller { name: rights.name.clone(), readable, now, pending_max: rights.pending_max };
    // The same judgement that commands in the repository's folder go through.
    let rules = Rules::of(repository, now);
    let remote = ServedRemote::for_caller(repository, &rules, caller);
    if request.verb() == Verb::Publish {
        remote.forget_old();
    }
    serve::answer(&remote, request, out)
}

/// An error of a use case as an error between repositories.
pub fn as_sync(error: AppError) -> SyncError {
    match error {
        AppError::Sync(error) => error,
        AppError::Repo(error) => error.into(),
        other => SyncError::Failed { address: "the server".to_owned(), detail: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_permitted_to_somebody_without_rights() {
        for verb in Verb::ALL {
            let outcome = insist(&Rights::none("nobody"), verb);
            assert!(matches!(outcome, Err(SyncError::NotAllowed { .. })), "{verb:?}");
            assert!(insist(&Rights::local(), verb).is_ok(), "{verb:?}");
        }
    }
}
