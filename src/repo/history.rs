//! Walks over commits: newest first, common ancestors, steps along first parents.

use crate::base::id::CommitId;
use crate::base::time::Timestamp;
use crate::object::commit::Commit;
use crate::object::source::ObjectSource;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// A commit waiting in a queue that gives out the youngest first; ties break by id.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    time: Timestamp,
    id: CommitId,
}

/// All commits that can be reached, each once, youngest first as far as clocks tell.
pub struct Walk<'a, S: ObjectSource> {
    source: &'a S,
    queue: BinaryHeap<Waiting>,
    loaded: HashMap<CommitId, Commit>,
    seen: HashSet<CommitId>,
    first_parents: bool,
}

impl<'a, S: ObjectSource> Walk<'a, S> {
    /// Starts from some commits.
    pub fn from(source: &'a S, tips: impl IntoIterator<Item = CommitId>) -> Result<Self, S::Error> {
        let mut walk = Self {
            source,
            queue: BinaryHeap::new(),
            loaded: HashMap::new(),
            seen: HashSet::new(),
            first_parents: false,
        };
        for tip in tips {
            walk.push(tip)?;
        }
        Ok(walk)
    }

    /// Follows first parents only.
    pub const fn first_parents_only(mut self) -> Self {
        self.first_parents = true;
        self
    }

    /// Leaves out a commit and all that can be reached from it.
    pub fn hide(&mut self, tip: CommitId) -> Result<(), S::Error> {
        let hidden: Vec<CommitId> =
            Walk::from(self.source, [tip])?.map(|item| item.map(|(id, _)| id)).collect::<Result<_, _>>()?;
        self.seen.extend(hidden.iter().copied());
        let hidden: HashSet<CommitId> = hidden.into_iter().collect();
        self.queue.retain(|waiting| !hidden.contains(&waiting.id));
        Ok(())
    }

    fn push(&mut self, id: CommitId) -> Result<(), S::Error> {
        if self.seen.insert(id) {
            let commit = self.source.commit(id)?;
            self.queue.push(Waiting { time: commit.committer.time, id });
            self.loaded.insert(id, commit);
        }
        Ok(())
    }
}

impl<S: ObjectSource> Iterator for Walk<'_, S> {
    type Item = Result<(CommitId, Commit), S::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let Waiting { id, .. } = self.queue.pop()?;
        // Whatever is queued was loaded when it was pushed.
        let commit = self.loaded.remove(&id)?;
        let followed = if self.first_parents { 1 } else { usize::MAX };
        for parent in commit.parents.iter().take(followed) {
            if let Err(error) = self.push(*parent) {
                return Some(Err(error));
            }
        }
        Some(Ok((id, commit)))
    }
}

/// The `count`th commit back along first parents; `None` when the line is shorter.
pub fn first_parent_back<S: ObjectSource>(
    source: &S,
    from: CommitId,
    count: u64,
) -> Result<Option<CommitId>, S::Error> {
    let mut current = from;
    for _ in 0..count {
        match source.commit(current)?.parents.first() {
            Some(parent) => current = *parent,
            None => return Ok(None),
        }
    }
    Ok(Some(current))
}

/// The newest commit on the first-parent line that is not younger than `time`.
pub fn first_parent_at<S: ObjectSource>(
    source: &S,
    from: CommitId,
    time: Timestamp,
) -> Result<Option<CommitId>, S::Error> {
    let mut current = Some(from);
    while let Some(id) = current {
        let commit = source.commit(id)?;
        if commit.committer.time.unix_ms <= time.unix_ms {
            return Ok(Some(id));
        }
        current = commit.parents.first().copied();
    }
    Ok(None)
}

/// Whether `ancestor` can be reached from `from` (or is it).
pub fn is_ancestor<S: ObjectSource>(
    source: &S,
    ancestor: CommitId,
    from: CommitId,
) -> Result<bool, S::Error> {
    for item in Walk::from(source, [from])? {
        if item?.0 == ancestor {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Which sides a commit can be reached from, and whether a common ancestor is already known below.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sides {
    ours: bool,
    theirs: bool,
    stale: bool,
}

/// The best common ancestors of two commits: those that are no ancestor of another one.
///
/// Paints both histories down from the tips, youngest first, until only commits below known
/// common ancestors are left (the algorithm of `git merge-base`); clocks that disagree cost time
/// and may leave a candidate that is an ancestor of another, which the last step removes.
pub fn common_ancestors<S: ObjectSource>(
    source: &S,
    ours: CommitId,
    theirs: CommitId,
) -> Result<Vec<CommitId>, S::Error> {
    if ours == theirs {
        return Ok(vec![ours]);
    }
    let mut sides: HashMap<CommitId, Sides> = HashMap::new();
    let mut queue = BinaryHeap::new();
    for (id, side) in [
        (ours, Sides { ours: true, ..Sides::default() }),
        (theirs, Sides { theirs: true, ..Sides::default() }),
    ] {
        sides.insert(id, side);
        queue.push(Waiting { time: source.commit(id)?.committer.time, id });
    }
    let mut found = Vec::new();
    while queue.iter().any(|waiting| !sides[&waiting.id].stale) {
        let Some(Waiting { id, .. }) = queue.pop() else { break };
        let mut side = sides[&id];
        if side.ours && side.theirs {
            if !side.stale && !found.contains(&id) {
                found.push(id);
            }
            side.stale = true;
        }
        for parent in source.commit(id)?.parents {
            let known = sides.entry(parent).or_default();
            let merged = Sides {
                ours: known.ours || side.ours,
                theirs: known.theirs || side.theirs,
                stale: known.stale || side.stale,
            };
            if merged != *known {
                *known = merged;
                queue.push(Waiting { time: source.commit(parent)?.committer.time, id: parent });
            }
        }
    }
    remove_ancestors(source, found)
}

/// Drops candidates that can be reached from another candidate.
fn remove_ancestors<S: ObjectSource>(source: &S, found: Vec<CommitId>) -> Result<Vec<CommitId>, S::Error> {
    if found.len() < 2 {
        return Ok(found);
    }
    let mut best = Vec::new();
    for candidate in &found {
        let mut redundant = false;
        for other in &found {
            if other != candidate && is_ancestor(source, *candidate, *other)? {
                redundant = true;
            }
        }
        if !redundant {
            best.push(*candidate);
        }
    }
    Ok(best)
}
