//! What clones rely on that do not have everything: one small blob for each of them, which only it writes.
//!
//! A clone writes its word first and then looks at the head once more: a name that still leads to what
//! it relies on was there after its word was. The collector reads the head first and the words then, and
//! replaces exactly that head: so it either finds the word, or the clone finds the name gone.

use crate::base::id::{CommitId, PackId};
use crate::sync::bucket::BucketRemote;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::keep::{BYTES_MAX, CloneId, KEPT_FOR, decode, encode};
use crate::sync::parallel::patiently;

const PREFIX: &str = "keeps/";
/// Commits of all clones together: more is no work of people, and would not fit into memory.
const COMMITS_AT_ONCE: usize = 1 << 22;

/// The words of all clones.
#[derive(Debug, Default)]
pub(super) struct Keeps {
    /// The commits that they rely on.
    pub commits: Vec<CommitId>,
    /// Keys of words that count no longer.
    pub expired: Vec<String>,
}

fn sort_out(commits: &mut Vec<CommitId>) {
    commits.sort_unstable();
    commits.dedup();
}

impl BucketRemote {
    pub(super) fn write_keep(&self, clone: &CloneId, commits: &[CommitId]) -> SyncResult<()> {
        let key = format!("{PREFIX}{}.keep", PackId::from_bytes(*clone));
        Ok(patiently(|| self.bucket.put(&key, &encode(commits)))?)
    }

    /// The commits that clones rely on which do not have everything.
    pub fn kept_commits(&self) -> SyncResult<Vec<CommitId>> {
        Ok(self.read_keeps()?.commits)
    }

    /// Reads all words. Their age is by the clock of the store.
    pub(super) fn read_keeps(&self) -> SyncResult<Keeps> {
        let mut keys = Vec::new();
        let mut keeps = Keeps::default();
        self.bucket.list(PREFIX, &mut |listed| {
            if listed.age > KEPT_FOR {
                keeps.expired.push(listed.key);
            } else {
                keys.push(listed.key);
            }
        })?;
        for key in keys {
            // One that is gone was given back a moment ago.
            let Some(bytes) = patiently(|| self.bucket.get(&key, BYTES_MAX))? else { continue };
            let commits = decode(&bytes).map_err(|error| SyncError::Invalid {
                what: "what a clone relies on",
                detail: format!("{key}: {error}"),
            })?;
            keeps.commits.extend(commits);
            if keeps.commits.len() > COMMITS_AT_ONCE {
                sort_out(&mut keeps.commits);
            }
            if keeps.commits.len() > COMMITS_AT_ONCE {
                let detail = format!("more than {COMMITS_AT_ONCE} commits in all");
                return Err(SyncError::Invalid { what: "what clones rely on", detail });
            }
        }
        sort_out(&mut keeps.commits);
        Ok(keeps)
    }
}
