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

/// The commits that can be reached from `tips` and from none of `hidden`, youngest first.
///
/// Paints both histories down, youngest first, until only what `hidden` reaches is left, and that older than
/// anything found: so it costs what is new, not the whole history. Where clocks disagree by more than
/// that, a commit that `hidden` reaches may be among them; never is one left out.
pub fn only_in<S: ObjectSource>(
    source: &S,
    tips: impl IntoIterator<Item = CommitId>,
    hidden: impl IntoIterator<Item = CommitId>,
) -> Result<Vec<(CommitId, Commit)>, S::Error> {
    let mut shown: HashMap<CommitId, bool> = HashMap::new();
    let mut found: HashMap<CommitId, Commit> = HashMap::new();
    let mut queue: BinaryHeap<Waiting> = BinaryHeap::new();
    // What waits and is not known to be hidden.
    let mut open: HashSet<CommitId> = HashSet::new();
    let start = tips.into_iter().map(|tip| (tip, true));
    for (id, show) in start.chain(hidden.into_iter().map(|hidden| (hidden, false))) {
        if shown.get(&id).is_none_or(|before| *before && !show) {
            shown.insert(id, show);
            if show {
                open.insert(id)
            } else {
                open.remove(&id)
            };
            queue.push(Waiting { time: source.commit(id)?.committer.time, id });
        }
    }
    let mut oldest: Option<i64> = None;
    while let Some(next) = queue.peek() {
        if open.is_empty() && oldest.is_none_or(|oldest| next.time.unix_ms < oldest) {
            break;
        }
        let Some(Waiting { time, id }) = queue.pop() else { break };
        let (commit, show) = (source.commit(id)?, shown[&id]);
        open.remove(&id);
        for parent in &commit.parents {
            if shown.get(parent).is_none_or(|before| *before && !show) {
                shown.insert(*parent, show);
                if show {
                    open.insert(*parent)
                } else {
                    open.remove(parent)
                };
                queue.push(Waiting { time: source.commit(*parent)?.committer.time, id: *parent });
            }
        }
        if show {
            oldest = Some(oldest.map_or(time.unix_ms, |oldest| oldest.min(time.unix_ms)));
            found.insert(id, commit);
        }
    }
    let mut found: Vec<(CommitId, Commit)> =
        found.into_iter().filter(|(id, _)| shown.get(id).copied().unwrap_or(false)).collect();
    found.sort_by(|(left, a), (right, b)| {
        (b.committer.time.unix_ms, right).cmp(&(a.committer.time.unix_ms, left))
    });
    Ok(found)
}

/// How many commits can be reached from `tip` and from none of `others`, whatever clocks say.
///
/// Costs what is new, and where something is, one walk over what the others reach, however many they are; no
/// more of that than it takes to meet everything that only seemed new.
pub fn count_only_in<S: ObjectSource>(
    source: &S,
    tip: CommitId,
    others: &[CommitId],
) -> Result<u64, S::Error> {
    let found = only_in(source, [tip], others.iter().copied())?;
    let mut new: HashSet<CommitId> = found.into_iter().map(|(id, _)| id).collect();
    for item in Walk::from(source, others.iter().copied())? {
        if new.is_empty() {
            break;
        }
        new.remove(&item?.0);
    }
    Ok(new.len() as u64)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{MetadataId, PersonId, TreeId};
    use crate::object::commit::Signature;
    use crate::object::memory::MissingObject;
    use crate::object::metadata::Metadata;
    use crate::object::tree::TreeNode;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Commits by number; counts how often one is read.
    struct History {
        commits: Vec<(CommitId, Commit)>,
        read: AtomicUsize,
    }

    impl History {
        /// Each commit has some of those before it as parents, and a moment.
        fn of(commits: &[(Vec<usize>, i64)]) -> Self {
            let mut made: Vec<(CommitId, Commit)> = Vec::new();
            for (number, (parents, unix_ms)) in commits.iter().enumerate() {
                let person = PersonId::from_bytes([number as u8; 16]);
                let signature = Signature { person, time: Timestamp::utc(*unix_ms) };
                let mut parents: Vec<CommitId> = parents.iter().map(|parent| made[*parent].0).collect();
                parents.dedup();
                let commit = Commit {
                    tree: TreeNode::empty_id(),
                    parents,
                    author: signature,
                    committer: signature,
                    message: number.to_string(),
                    notes: Vec::new(),
                    extensions: Vec::new(),
                };
                made.push((commit.id(), commit));
            }
            Self { commits: made, read: AtomicUsize::new(0) }
        }
    }

    impl ObjectSource for History {
        type Error = MissingObject;

        fn tree_node(&self, id: TreeId) -> Result<TreeNode, MissingObject> {
            Err(MissingObject::Tree(id))
        }

        fn metadata(&self, id: MetadataId) -> Result<Metadata, MissingObject> {
            Err(MissingObject::Metadata(id))
        }

        fn commit(&self, id: CommitId) -> Result<Commit, MissingObject> {
            self.read.fetch_add(1, Ordering::Relaxed);
            let found = self.commits.iter().find(|(other, _)| *other == id);
            found.map(|(_, commit)| commit.clone()).ok_or(MissingObject::Commit(id))
        }
    }

    #[test]
    fn commits_that_no_other_name_has_are_counted_in_one_walk_however_many_names_there_are() {
        // A line of 400, a branch of 3 from its end, and names all along the line.
        let mut shape: Vec<(Vec<usize>, i64)> =
            (0..400).map(|n: usize| (n.checked_sub(1).into_iter().collect(), n as i64)).collect();
        shape.extend([(vec![399], 400), (vec![400], 401), (vec![401], 402)]);
        let history = History::of(&shape);
        let names: Vec<CommitId> = (0..400).step_by(2).chain([399]).map(|n| history.commits[n].0).collect();
        let count = |tip: usize| count_only_in(&history, history.commits[tip].0, &names).expect("commits");
        assert_eq!(count(402), 3);
        let read = history.read.swap(0, Ordering::Relaxed);
        assert!(read < 2 * (400 + 3 + names.len()), "{read} commits were read for {} names", names.len());
        assert_eq!(count(399), 0);
        let read = history.read.load(Ordering::Relaxed);
        assert!(read < 2 * names.len() + 10, "{read} commits were read where nothing is new");
    }

    #[test]
    fn what_is_new_costs_what_is_new() {
        let line: Vec<(Vec<usize>, i64)> =
            (0..500).map(|n: usize| (n.checked_sub(1).into_iter().collect(), n as i64)).collect();
        let history = History::of(&line);
        let (tip, hidden) = (history.commits[499].0, history.commits[497].0);
        let found = only_in(&history, [tip], Some(hidden)).expect("commits");
        assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [tip, history.commits[498].0]);
        assert!(history.read.load(Ordering::Relaxed) < 12, "not the whole history is read");
    }

    proptest! {
        #[test]
        fn commits_of_one_side_are_found_and_never_one_too_few(
            shape in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..3), 0i64..40), 2..24),
            tip in any::<prop::sample::Index>(),
            hidden in any::<prop::sample::Index>(),
            clocks_agree in any::<bool>(),
        ) {
            let commits: Vec<(Vec<usize>, i64)> = shape
                .iter()
                .enumerate()
                .map(|(number, (parents, moment))| {
                    let mut parents: Vec<usize> = if number == 0 {
                        Vec::new()
                    } else {
                        parents.iter().map(|parent| parent.index(number)).collect()
                    };
                    parents.sort_unstable();
                    parents.dedup();
                    (parents, if clocks_agree { number as i64 } else { *moment })
                })
                .collect();
            let history = History::of(&commits);
            let (tip, hidden) = (tip.index(commits.len()), hidden.index(commits.len()));
            let (tip, hidden) = (history.commits[tip].0, history.commits[hidden].0);
            let ids = |found: Vec<(CommitId, Commit)>| -> HashSet<CommitId> {
                found.into_iter().map(|(id, _)| id).collect()
            };
            let found = ids(only_in(&history, [tip], Some(hidden)).expect("commits"));
            let mut walk = Walk::from(&history, [tip]).expect("a walk");
            walk.hide(hidden).expect("hidden");
            let expected = ids(walk.collect::<Result<_, _>>().expect("commits"));
            prop_assert!(found.is_superset(&expected));
            let count = count_only_in(&history, tip, &[hidden]).expect("commits");
            prop_assert_eq!(count, expected.len() as u64, "whatever clocks say");
            if clocks_agree {
                prop_assert_eq!(found, expected);
            }
        }
    }
}
