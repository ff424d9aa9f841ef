//! The worktree's state as rows of the database: what is small in one, everything that belongs to a
//! path in a row of its own, so that an edit of one path writes one row.
//!
//! Repositories of before that have it all in one JSON record. It reads on, and the next change of the
//! state takes it apart.

use crate::base::id::{AssetId, CommitId, MetadataId, TreeId};
use crate::base::path::AssetPath;
use crate::repo::error::RepoError;
use crate::repo::refs::{DEFAULT_BRANCH, RefName};
use crate::repo::state::{
    LeftBehind, MergeState, PendingConflict, PendingEdits, Shelf, Underway, Unsynced, WorktreeState,
};
use crate::repo::state_difference::{Changed, StateDifference};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Key of the row with what is small.
pub(crate) const STATE_KEY: &[u8] = b"state";
/// What the keys of all other rows of the state begin with.
pub(crate) const ROW_PREFIX: &[u8] = b"state/";
/// Prefix of the keys of work set aside.
pub(crate) const SHELF_PREFIX: &str = "shelf/";
/// First byte of a row of the small things; a record of before begins with `{`.
const VERSION: u8 = 2;
/// What a record of before, which has everything in it, begins with.
const WHOLE: u8 = b'{';

const UNKNOWN_KEY: &str = "its key is of no known kind";

const METADATA: &str = "metadata";
const ASSET: &str = "asset";
const MOVED: &str = "moved";
const CONFLICT: &str = "conflict";
const ALIAS: &str = "alias";
const UNWRITTEN: &str = "unwritten";
const SHOWN: &str = "shown";

/// What of the state has no path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StateHead {
    branch: RefName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    merge: Option<MergeHead>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    underway: Option<Underway>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsynced: Option<Unsynced>,
    /// Whether the worktree shows only some paths, which have rows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_sparse: bool,
}

/// A merge under way without what it has of paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeHead {
    /// What is merged in; `None` for uncommitted work that came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theirs: Option<CommitId>,
    /// Both sides together with what was decided since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<TreeId>,
    /// The name by which it was asked for.
    pub name: String,
    /// The message that its commit will have unless another is given.
    pub message: String,
}

impl MergeHead {
    /// What of a merge has no path.
    pub fn of(merge: &MergeState) -> Self {
        let MergeState { theirs, merged, name, message, .. } = merge;
        Self { theirs: *theirs, merged: *merged, name: name.clone(), message: message.clone() }
    }

    /// The merge with what it has of paths.
    pub fn with(self, conflicts: Vec<PendingConflict>, aliases: Vec<(AssetId, AssetId)>) -> MergeState {
        let Self { theirs, merged, name, message } = self;
        MergeState { theirs, merged, name, message, conflicts, aliases }
    }
}

impl StateHead {
    fn of(state: &WorktreeState) -> Self {
        Self {
            branch: state.branch.clone(),
            merge: state.merge.as_ref().map(MergeHead::of),
            underway: state.underway.clone(),
            unsynced: state.unsynced.clone(),
            is_sparse: state.sparse.is_some(),
        }
    }

    fn into_state(self) -> WorktreeState {
        WorktreeState {
            merge: self.merge.map(|merge| merge.with(Vec::new(), Vec::new())),
            underway: self.underway,
            unsynced: self.unsynced,
            sparse: self.is_sparse.then(BTreeSet::new),
            ..WorktreeState::on_branch(self.branch)
        }
    }

    fn encode(&self) -> Result<Vec<u8>, RepoError> {
        let mut bytes = vec![VERSION];
        serde_json::to_writer(&mut bytes, self).map_err(unreadable)?;
        Ok(bytes)
    }
}

/// Rows to be written and keys to be taken away, each in the order of their bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RowChanges {
    /// Keys with the value that each gets.
    pub put: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Keys that go.
    pub delete: BTreeSet<Vec<u8>>,
}

impl RowChanges {
    /// What makes rows of `before` rows of `after`; all of them where there was no state, or one in a
    /// single record.
    pub fn between(before: Option<&WorktreeState>, after: &WorktreeState) -> Result<Self, RepoError> {
        let mut changes = Self::default();
        let none = WorktreeState::on_branch(after.branch.clone());
        let earlier = before.unwrap_or(&none);
        let head = StateHead::of(after);
        if before.is_none_or(|before| StateHead::of(before) != head) {
            changes.put.insert(STATE_KEY.to_vec(), head.encode()?);
        }
        let difference = StateDifference::between(earlier, after);
        let by_path = |path: &AssetPath| path.as_bytes().to_vec();
        changes.add(METADATA, &difference.metadata, by_path)?;
        changes.add(ASSET, &difference.assets, by_path)?;
        changes.add(MOVED, &difference.moves, by_path)?;
        changes.add(CONFLICT, &difference.conflicts, |(path, nth)| conflict_key(path, *nth))?;
        changes.add(ALIAS, &difference.aliases, |position| position.to_be_bytes().to_vec())?;
        changes.add(SHOWN, &difference.shown, by_path)?;
        changes.add(UNWRITTEN, &Changed::between(&earlier.unwritten, &after.unwritten), by_path)?;
        Ok(changes)
    }

    fn add<K, V: Serialize>(
        &mut self,
        kind: &str,
        changed: &BTreeMap<K, Changed<V>>,
        below: impl Fn(&K) -> Vec<u8>,
    ) -> Result<(), RepoError> {
        for (key, change) in changed {
            let key = [ROW_PREFIX, kind.as_bytes(), b"/", &below(key)].concat();
            match &change.after {
                Some(value) => {
                    self.put.insert(key, serde_json::to_vec(value).map_err(unreadable)?);
                }
                None => {
                    self.delete.insert(key);
                }
            }
        }
        Ok(())
    }
}

fn conflict_key(path: &AssetPath, nth: u32) -> Vec<u8> {
    // No path holds NUL.
    [path.as_bytes(), &[0], &nth.to_be_bytes()].concat()
}

/// Whether the row of the small things is a record of before, with everything in it.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    bytes.first() == Some(&WHOLE)
}

/// The branch in the row of the small things, without reading more than has to be read.
pub(crate) fn read_branch(bytes: &[u8]) -> Result<RefName, RepoError> {
    #[derive(Deserialize)]
    struct Branch {
        branch: RefName,
    }
    let json = if is_whole(bytes) { bytes } else { versioned(bytes)? };
    Ok(serde_json::from_slice::<Branch>(json).map_err(unreadable)?.branch)
}

/// The row of the small things: a state to which rows are to be added, or a whole one of before.
pub(crate) fn read_head(bytes: &[u8]) -> Result<WorktreeState, RepoError> {
    if is_whole(bytes) {
        return serde_json::from_slice(bytes).map_err(unreadable);
    }
    let head: StateHead = serde_json::from_slice(versioned(bytes)?).map_err(unreadable)?;
    Ok(head.into_state())
}

fn versioned(bytes: &[u8]) -> Result<&[u8], RepoError> {
    match bytes.split_first() {
        Some((&VERSION, json)) => Ok(json),
        _ => Err(stray("it is of a version that this program does not know")),
    }
}

/// A state of its rows, which come in the order of their keys.
pub(crate) fn read(
    rows: impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), RepoError>>,
) -> Result<WorktreeState, RepoError> {
    let mut state: Option<WorktreeState> = None;
    for row in rows {
        let (key, value) = row?;
        if key == STATE_KEY {
            state = Some(read_head(&value)?);
        } else if key.starts_with(ROW_PREFIX) {
            add_row(state.as_mut().ok_or_else(missing)?, &key, &value)?;
        }
    }
    let mut state = state.ok_or_else(missing)?;
    state.order_conflicts();
    Ok(state)
}

/// Adds to a state whatever rows can be read and belong to it: for repair.
pub(crate) fn salvage<'a>(state: &mut WorktreeState, rows: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
    for (key, value) in rows {
        // A row that cannot be read, or of a merge that is over, says nothing.
        let _ = add_row(state, key, value);
    }
    state.order_conflicts();
}

/// Rows of the worktree's state and of work set aside, in the order of their keys, that are not what their
/// keys say or do not belong to the rest, each with the reason.
pub(crate) fn faults<E>(
    rows: impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), E>>,
) -> Result<Vec<(Vec<u8>, String)>, E> {
    let mut faults = Vec::new();
    let mut state = None;
    for row in rows {
        let (key, value) = row?;
        let found = if key == STATE_KEY {
            read_head(&value).map(|head| state = Some(head))
        } else if key.starts_with(ROW_PREFIX) {
            // Where the small things cannot be read, any row may belong to them.
            match &mut state {
                Some(state) => add_row(state, &key, &value),
                None => host().and_then(|mut host| add_row(&mut host, &key, &value)),
            }
        } else if key.starts_with(SHELF_PREFIX.as_bytes()) {
            parse::<Shelf>(&value).map(|_| ())
        } else {
            Err(stray(UNKNOWN_KEY))
        };
        faults.extend(found.err().map(|error| (key, error.detail())));
    }
    Ok(faults)
}

/// Whether a key is one of the worktree's state or of work set aside.
pub(crate) fn is_key(key: &[u8]) -> bool {
    key == STATE_KEY || key.starts_with(ROW_PREFIX) || key.starts_with(SHELF_PREFIX.as_bytes())
}

/// A state that takes any row.
fn host() -> Result<WorktreeState, RepoError> {
    let merge = MergeHead { theirs: None, merged: None, name: String::new(), message: String::new() };
    let branch = RefName::branch(DEFAULT_BRANCH)?;
    Ok(WorktreeState {
        merge: Some(merge.with(Vec::new(), Vec::new())),
        sparse: Some(BTreeSet::new()),
        ..WorktreeState::on_branch(branch)
    })
}

fn add_row(state: &mut WorktreeState, key: &[u8], value: &[u8]) -> Result<(), RepoError> {
    let row = key.strip_prefix(ROW_PREFIX).ok_or_else(|| stray(UNKNOWN_KEY))?;
    let end = row.iter().position(|byte| *byte == b'/').ok_or_else(|| stray(UNKNOWN_KEY))?;
    let (kind, below) = (&row[..end], &row[end + 1..]);
    let path = || AssetPath::from_bytes(below).map_err(|error| stray(&error.to_string()));
    let PendingEdits { metadata, assets, moves } = &mut state.pending;
    match std::str::from_utf8(kind).unwrap_or_default() {
        METADATA => {
            metadata.insert(path()?, parse::<Option<MetadataId>>(value)?);
        }
        ASSET => {
            assets.insert(path()?, parse(value)?);
        }
        MOVED => {
            moves.insert(path()?, parse(value)?);
        }
        UNWRITTEN => {
            state.unwritten.insert(path()?, parse::<LeftBehind>(value)?);
        }
        SHOWN => {
            parse::<()>(value)?;
            let shown = state.sparse.as_mut().ok_or_else(|| stray("everything is shown"))?;
            shown.insert(path()?);
        }
        CONFLICT => {
            let conflict: PendingConflict = parse(value)?;
            if below.len() != conflict.path.as_bytes().len() + 5
                || !below.starts_with(conflict.path.as_bytes())
            {
                return Err(stray("its key is of another path"));
            }
            state.merge.as_mut().ok_or_else(|| stray("no merge is under way"))?.conflicts.push(conflict);
        }
        ALIAS => {
            let merge = state.merge.as_mut().ok_or_else(|| stray("no merge is under way"))?;
            merge.aliases.push(parse(value)?);
        }
        _ => return Err(stray(UNKNOWN_KEY)),
    }
    Ok(())
}

fn parse<T: DeserializeOwned>(value: &[u8]) -> Result<T, RepoError> {
    serde_json::from_slice(value).map_err(unreadable)
}

fn stray(what: &str) -> RepoError {
    unreadable(serde_json::Error::custom(what))
}

const fn unreadable(source: serde_json::Error) -> RepoError {
    RepoError::Record { what: "worktree state", source }
}

fn missing() -> RepoError {
    RepoError::Missing { kind: "record", id: "worktree state".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fuzz::Numbers;
    use crate::repo::fuzz;
    use crate::repo::state_difference::Side;

    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

    fn put(rows: &mut Rows, changes: RowChanges) {
        rows.extend(changes.put);
        for key in changes.delete {
            assert!(rows.remove(&key).is_some(), "only what is there goes");
        }
    }

    fn read_all(rows: &Rows) -> WorktreeState {
        read(rows.clone().into_iter().map(Ok)).expect("a state")
    }

    fn states() -> impl Iterator<Item = (WorktreeState, WorktreeState)> {
        (0..200).map(|seed| {
            let mut numbers = Numbers::new(seed);
            (fuzz::state(&mut numbers), fuzz::state(&mut numbers))
        })
    }

    #[test]
    fn rows_become_those_of_another_state_by_what_differs() {
        for (one, other) in states() {
            let mut rows = Rows::new();
            put(&mut rows, RowChanges::between(None, &one).expect("rows"));
            assert_eq!(read_all(&rows), one);
            assert_eq!(faults(rows.clone().into_iter().map(Ok::<_, ()>)), Ok(Vec::new()));
            assert_eq!(RowChanges::between(Some(&one), &one).expect("rows"), RowChanges::default());
            put(&mut rows, RowChanges::between(Some(&one), &other).expect("rows"));
            assert_eq!(read_all(&rows), other);
            let branch = rows.get(STATE_KEY).map(|head| read_branch(head).expect("a branch"));
            assert_eq!(branch.as_ref(), Some(&other.branch));
        }
    }

    #[test]
    fn a_difference_leads_both_ways_and_leaves_alone_how_far_the_files_have_come() {
        for (one, other) in states() {
            let difference = StateDifference::between(&one, &other);
            let WorktreeState { underway, unsynced, unwritten, .. } = one.clone();
            let expected = WorktreeState { underway, unsynced, unwritten, ..other };
            let mut state = one.clone();
            difference.bring(&mut state, Side::After);
            assert_eq!(state, expected);
            difference.bring(&mut state, Side::Before);
            assert_eq!(state, one);
            assert!(StateDifference::between(&one, &one).is_empty());
        }
    }

    #[test]
    fn conflicts_of_one_path_stay_two_and_stand_in_the_order_of_the_tree() {
        let conflict = |path: &str, kind: &str| PendingConflict {
            path: AssetPath::from_bytes(path).expect("a path"),
            kind: kind.to_owned(),
            base: None,
            ours: None,
            theirs: None,
            placed: None,
            fields: Vec::new(),
        };
        let merge = MergeHead { theirs: None, merged: None, name: "x".into(), message: "m".into() };
        let conflicts =
            vec![conflict("a-b", "content"), conflict("a/b", "content"), conflict("a/b", "fields")];
        let one = WorktreeState {
            merge: Some(merge.with(conflicts, Vec::new())),
            ..WorktreeState::on_branch(RefName::branch("main").expect("a name"))
        };
        let mut rows = Rows::new();
        put(&mut rows, RowChanges::between(None, &one).expect("rows"));
        let found = read_all(&rows).merge.expect("a merge").conflicts;
        let told: Vec<(String, &str)> =
            found.iter().map(|conflict| (conflict.path.to_string(), conflict.kind.as_str())).collect();
        let expected = [("a/b", "content"), ("a/b", "fields"), ("a-b", "content")];
        assert_eq!(told, expected.map(|(path, kind)| (path.to_owned(), kind)));
    }

    #[test]
    fn the_bytes_of_a_row_are_what_the_page_of_formats_says() {
        let mut state = WorktreeState::on_branch(RefName::branch("main").expect("a name"));
        let path = AssetPath::from_bytes("d/\u{e9}").expect("a path");
        state.pending.metadata.insert(path.clone(), None);
        state.pending.moves.insert(path.clone(), AssetPath::from_bytes("d/e").expect("a path"));
        state.sparse = Some([path].into());
        let rows = RowChanges::between(None, &state).expect("rows").put;
        let told: Vec<(String, String)> = rows
            .iter()
            .map(|(key, value)| (key.escape_ascii().to_string(), value.escape_ascii().to_string()))
            .collect();
        let expected = [
            ("state", r#"\x02{\"branch\":\"branch/main\",\"is_sparse\":true}"#),
            (r"state/metadata/d/\xc3\xa9", "null"),
            (r"state/moved/d/\xc3\xa9", r#"\"d/e\""#),
            (r"state/shown/d/\xc3\xa9", "null"),
        ];
        assert_eq!(told, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn rows_that_belong_to_nothing_are_told() {
        let state = WorktreeState::on_branch(RefName::branch("main").expect("a name"));
        let mut rows = RowChanges::between(None, &state).expect("rows").put;
        rows.insert(b"state/shown/d".to_vec(), b"null".to_vec());
        rows.insert(b"state/metadata/d".to_vec(), b"what".to_vec());
        rows.insert(b"state/other/d".to_vec(), b"null".to_vec());
        let told = faults(rows.clone().into_iter().map(Ok::<_, ()>)).expect("faults");
        let keys: Vec<String> = told.iter().map(|(key, _)| key.escape_ascii().to_string()).collect();
        assert_eq!(keys, ["state/metadata/d", "state/other/d", "state/shown/d"]);
        assert!(read(rows.into_iter().map(Ok)).is_err());
    }
}
