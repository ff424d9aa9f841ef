//! What a repository remembers of its remotes: their names and addresses, and how far each was seen.

use crate::repo::log_memory::{SEEN_AT_PREFIX, SEEN_PREFIX};
use crate::repo::partial::KEEP_PREFIX;
use crate::repo::refs::RefName;
use crate::repo::withheld::WITHHELD_PREFIX;
use crate::repo::{Edit, RepoError, View};
use crate::store::Space;
use crate::sync::address::Address;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::remote::Description;
use serde::{Deserialize, Serialize};

/// Prefix of the keys in the settings of a repository.
const PREFIX: &str = "remote/";
/// Longest name of a remote in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The name that a clone gives to where it came from.
pub const DEFAULT_REMOTE: &str = "origin";

/// One remote as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteRecord {
    /// Where it is.
    pub address: Address,
    /// Its mark when everything was fetched last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
    /// Its epoch then.
    #[serde(default)]
    pub epoch: u64,
}

impl RemoteRecord {
    /// Whether the remote has less behind it than when it was seen last.
    pub fn was_put_back(&self, description: &Description) -> bool {
        self.mark.is_some_and(|mark| description.mark < mark) || description.epoch < self.epoch
    }
}

/// Checks the name of a remote: letters, digits, `-` and `_`, not beginning with `-`.
pub fn check_remote_name(name: &str) -> SyncResult<()> {
    let fits = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with('-')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if fits {
        return Ok(());
    }
    Err(SyncError::RemoteName { name: name.to_owned() })
}

/// The remote of that name, if there is one.
pub fn remote_record(view: &View, name: &str) -> SyncResult<Option<RemoteRecord>> {
    let bytes = view.snapshot().get(Space::Settings, format!("{PREFIX}{name}").as_bytes())?;
    bytes.map(|bytes| parse(&bytes)).transpose()
}

/// All remotes by name.
pub fn remote_records(view: &View) -> SyncResult<Vec<(String, RemoteRecord)>> {
    let mut all = Vec::new();
    for row in view.snapshot().scan_prefix(Space::Settings, PREFIX.as_bytes())? {
        let (key, bytes) = row?;
        let name = String::from_utf8_lossy(&key[PREFIX.len()..]).into_owned();
        all.push((name, parse(&bytes)?));
    }
    Ok(all)
}

/// Remembers a remote, or forgets it.
pub fn put_remote_record(edit: &mut Edit, name: &str, record: Option<&RemoteRecord>) -> SyncResult<()> {
    let key = format!("{PREFIX}{name}");
    match record {
        Some(record) => {
            let bytes =
                serde_json::to_vec(record).map_err(|source| RepoError::Record { what: "remote", source })?;
            edit.transaction().put(Space::Settings, key.as_bytes(), &bytes)?;
        }
        None => {
            edit.transaction().delete(Space::Settings, key.as_bytes())?;
        }
    }
    Ok(())
}

/// Calls a remote otherwise: all that is remembered of it goes along, and where its branches were.
pub fn rename_remote(edit: &mut Edit, view: &View, from: &str, to: &str) -> SyncResult<()> {
    for prefix in [PREFIX, KEEP_PREFIX, WITHHELD_PREFIX, SEEN_PREFIX, SEEN_AT_PREFIX] {
        let (old, new) = (format!("{prefix}{from}"), format!("{prefix}{to}"));
        let bytes = view.snapshot().get(Space::Settings, old.as_bytes())?;
        edit.transaction().delete(Space::Settings, old.as_bytes())?;
        match bytes {
            Some(bytes) => edit.transaction().put(Space::Settings, new.as_bytes(), &bytes)?,
            // What an earlier remote of that name left behind is not this one's.
            None => drop(edit.transaction().delete(Space::Settings, new.as_bytes())?),
        }
    }
    for (name, target) in view.references()? {
        let Some((_, branch)) = name.remote_parts().filter(|(remote, _)| *remote == from) else { continue };
        let renamed = RefName::remote(to, &RefName::branch(branch)?)?;
        edit.set_reference(&name, Some(target.commit), None)?;
        edit.set_reference(&renamed, None, Some(target))?;
    }
    Ok(())
}

fn parse(bytes: &[u8]) -> SyncResult<RemoteRecord> {
    Ok(serde_json::from_slice(bytes).map_err(|source| RepoError::Record { what: "remote", source })?)
}
