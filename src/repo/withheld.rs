//! Content that remotes withhold from this clone, because their policy lets only others read some paths.
//!
//! History, names and ids of such files are here all the same. For each remote the patterns are
//! remembered under which it withheld content when it was fetched from last. A path that one of them covers
//! and at which nothing stands was not removed by anybody.

use crate::base::id::{CommitId, FileId};
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::object::tree_walk::TreeWalk;
use crate::repo::at_hand::AtHand;
use crate::repo::edit::Edit;
use crate::repo::error::RepoError;
use crate::repo::history::Walk;
use crate::repo::state::LeftBehind;
use crate::repo::view::View;
use crate::rules::pattern::Pattern;
use crate::store::Space;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Prefix of the records, in the settings kept by the repository.
pub const WITHHELD_PREFIX: &str = "withheld/";

/// What one remote withholds, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithheldRecord {
    /// Patterns of paths.
    pub paths: Vec<String>,
}

impl WithheldRecord {
    fn patterns(&self) -> Result<Vec<Pattern>, RepoError> {
        let wrong = |error| RepoError::Record { what: "remote", source: serde_json::Error::custom(error) };
        self.paths.iter().map(|text| Pattern::new(text).map_err(wrong)).collect()
    }
}

/// Paths whose content is withheld.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withheld(Vec<Pattern>);

impl Withheld {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the content at a path is.
    pub fn covers(&self, path: &AssetPath) -> bool {
        self.0.iter().any(|pattern| pattern.matches_path(path))
    }
}

impl From<Vec<Pattern>> for Withheld {
    fn from(patterns: Vec<Pattern>) -> Self {
        Self(patterns)
    }
}

impl View {
    /// The patterns under which a remote withheld content when it was fetched from last.
    pub fn withheld_by(&self, remote: &str) -> Result<Vec<Pattern>, RepoError> {
        let bytes = self.snapshot().get(Space::Settings, format!("{WITHHELD_PREFIX}{remote}").as_bytes())?;
        bytes.map_or_else(|| Ok(Vec::new()), |bytes| read(&bytes)?.patterns())
    }

    /// The paths whose content one remote or another withholds.
    pub fn withheld(&self) -> Result<Withheld, RepoError> {
        let mut patterns = Vec::new();
        for row in self.snapshot().scan_prefix(Space::Settings, WITHHELD_PREFIX.as_bytes())? {
            let (_, bytes) = row?;
            patterns.extend(read(&bytes)?.patterns()?);
        }
        Ok(Withheld(patterns))
    }

    /// The files, each with its size in bytes, that stand at some paths in any commit that the tips reach.
    /// What cannot be read is passed over.
    pub fn files_ever_at(
        &self,
        tips: impl IntoIterator<Item = CommitId>,
        counts: &dyn Fn(&AssetPath) -> bool,
    ) -> Result<HashMap<FileId, u64>, RepoError> {
        let source = AtHand(self);
        let (mut seen, mut files) = (HashSet::new(), HashMap::new());
        for item in Walk::from(self, tips)? {
            let Ok((_, commit)) = item else { break };
            let mut walk = TreeWalk::new(&source, commit.tree, AssetPath::root());
            while let Some(Ok((path, entry))) = walk.next() {
                match entry.content {
                    Content::Directory { id } if seen.contains(&(id, path.clone())) => walk.skip_folder(),
                    Content::Directory { id } => drop(seen.insert((id, path))),
                    content if counts(&path) => files.extend(content.file_id().zip(content.size())),
                    _ => {}
                }
            }
        }
        Ok(files)
    }
}

fn read(bytes: &[u8]) -> Result<WithheldRecord, RepoError> {
    serde_json::from_slice(bytes).map_err(|source| RepoError::Record { what: "remote", source })
}

impl Edit {
    /// Notes under which patterns a remote withholds content. Paths of the files that the worktree stands on
    /// which nobody withholds any more are noted as not written: nobody has removed them.
    ///
    /// Gives how many there are of these.
    pub fn set_withheld(&mut self, view: &View, remote: &str, hidden: &[Pattern]) -> Result<u64, RepoError> {
        let before = self.withheld_now()?;
        let key = format!("{WITHHELD_PREFIX}{remote}");
        if hidden.is_empty() {
            self.transaction().delete(Space::Settings, key.as_bytes())?;
        } else {
            let paths = hidden.iter().map(|pattern| pattern.as_str().to_owned()).collect();
            let bytes = serde_json::to_vec(&WithheldRecord { paths })
                .map_err(|source| RepoError::Record { what: "remote", source })?;
            self.transaction().put(Space::Settings, key.as_bytes(), &bytes)?;
        }
        let after = self.withheld_now()?;
        if before.0.iter().all(|pattern| after.0.contains(pattern)) {
            return Ok(0);
        }
        self.note_unwritten(view, &|path| before.covers(path) && !after.covers(path))
    }

    fn withheld_now(&mut self) -> Result<Withheld, RepoError> {
        let mut patterns = Vec::new();
        for (_, bytes) in self.transaction().scan_prefix(Space::Settings, WITHHELD_PREFIX.as_bytes())? {
            patterns.extend(read(&bytes)?.patterns()?);
        }
        Ok(Withheld(patterns))
    }

    fn note_unwritten(&mut self, view: &View, counts: &dyn Fn(&AssetPath) -> bool) -> Result<u64, RepoError> {
        let mut state = match self.state() {
            Err(RepoError::Missing { .. }) => return Ok(0),
            state => state?,
        };
        let mut noted = 0;
        let ground = view.ground(&state)?;
        for item in TreeWalk::new(&AtHand(view), ground, AssetPath::root()) {
            let (path, entry) = item?;
            if !entry.content.is_directory() && counts(&path) && state.shows(&path) {
                noted += 1;
                // Something that stands there is looked at like anything else.
                state.unwritten.entry(path).or_insert(LeftBehind::Nothing);
            }
        }
        if noted > 0 {
            self.put_state(&state)?;
        }
        Ok(noted)
    }
}
