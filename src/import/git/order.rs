//! Which commits are to be imported, in an order in which parents come first.

use crate::base::id::{CommitId, GitId};
use crate::base::monitor::{Monitor, Phase};
use crate::import::error::ImportError;
use crate::import::git::objects::{Kind, Objects};
use crate::import::git::parse;
use std::collections::{HashMap, HashSet};

/// One commit to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its Git id.
    pub id: GitId,
    /// Its tree.
    pub tree: GitId,
    /// Its parents as far as they are there or were imported before, in order.
    pub parents: Vec<GitId>,
    /// How many parents of it a shallow clone left out.
    pub cut: usize,
}

/// The commits of an import.
#[derive(Debug, Default)]
pub struct Order {
    /// Parents first.
    pub commits: Vec<Planned>,
    /// Parents that a shallow clone left out and that no earlier import brought.
    pub absent: u64,
}

/// What earlier imports brought.
pub trait Earlier {
    /// The commit that a Git commit became.
    fn commit(&self, id: GitId) -> Result<Option<CommitId>, ImportError>;
    /// The parents of a commit here.
    fn parents(&self, id: CommitId) -> Result<Vec<CommitId>, ImportError>;
}

/// Finds all commits that the tips reach and that are not known yet. Where an earlier import found history
/// cut off that is whole now (`regrown`), commits are also made anew that stand on what was cut.
///
/// The order follows from the tips alone: another run finds the same.
pub fn order(
    objects: &Objects,
    tips: &[GitId],
    shallow: &HashSet<GitId>,
    earlier: &dyn Earlier,
    regrown: bool,
    monitor: &dyn Monitor,
) -> Result<Order, ImportError> {
    monitor.phase(Phase { name: "Reading history", files_total: None, bytes_total: None });
    objects.with_reader(|reader| {
        let mut buffer = Vec::new();
        let mut read = |id: GitId| -> Result<Option<Planned>, ImportError> {
            if !reader.find_kind(id, Kind::Commit, &mut buffer)? {
                return Ok(None);
            }
            let (tree, mut parents) = parse::commit_links(&buffer);
            let tree = tree.ok_or(ImportError::Object { id, source: None })?;
            let all = parents.len();
            if shallow.contains(&id) {
                // What an earlier import brought is there, whatever this clone left out.
                let mut known = Vec::with_capacity(all);
                for parent in parents {
                    if earlier.commit(parent)?.is_some() {
                        known.push(parent);
                    }
                }
                parents = known;
            }
            let cut = all - parents.len();
            Ok(Some(Planned { id, tree, parents, cut }))
        };
        let mut walk = Walk { order: Order::default(), settled: HashMap::new(), earlier, regrown, monitor };
        for tip in tips {
            if !walk.from(*tip, &mut read)? {
                return Err(ImportError::Missing { id: *tip });
            }
        }
        Ok(walk.order)
    })
}

/// What is known of a commit that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    /// Its parents are being looked at. When it was imported before, as what.
    Open(Option<CommitId>),
    /// It was imported before.
    There,
    /// It stands in the order.
    Planned,
    /// It is not in the repository.
    Absent,
}

struct Walk<'a> {
    order: Order,
    settled: HashMap<GitId, Met>,
    earlier: &'a dyn Earlier,
    regrown: bool,
    monitor: &'a dyn Monitor,
}

type Read<'r> = dyn FnMut(GitId) -> Result<Option<Planned>, ImportError> + 'r;

impl Walk<'_> {
    /// Puts a commit and all before it into the order; says whether it is there.
    fn from(&mut self, tip: GitId, read: &mut Read<'_>) -> Result<bool, ImportError> {
        let mut open: Vec<(Planned, usize)> = Vec::new();
        open.extend(self.meet(tip, read)?.map(|planned| (planned, 0)));
        while let Some((planned, next)) = open.last_mut() {
            if let Some(parent) = planned.parents.get(*next).copied() {
                *next += 1;
                open.extend(self.meet(parent, read)?.map(|planned| (planned, 0)));
                continue;
            }
            let Some((planned, _)) = open.pop() else { break };
            self.settle(planned)?;
            self.monitor.commits(self.order.commits.len() as u64, 0);
        }
        Ok(matches!(self.settled.get(&tip), Some(Met::There | Met::Planned)))
    }

    /// Decides about a commit all of whose parents were decided about.
    fn settle(&mut self, planned: Planned) -> Result<(), ImportError> {
        let absent = |parent: &&GitId| self.settled.get(*parent) == Some(&Met::Absent);
        if let Some(parent) = planned.parents.iter().find(absent) {
            return Err(ImportError::Missing { id: *parent });
        }
        let is_new = |parent: &GitId| self.settled.get(parent) == Some(&Met::Planned);
        let before = match self.settled.get(&planned.id) {
            Some(Met::Open(before)) => *before,
            _ => None,
        };
        if let Some(here) = before
            && !planned.parents.iter().any(is_new)
        {
            let mut parents = Vec::with_capacity(planned.parents.len());
            for parent in &planned.parents {
                parents.extend(self.earlier.commit(*parent)?);
            }
            if parents == self.earlier.parents(here)? {
                self.settled.insert(planned.id, Met::There);
                return Ok(());
            }
        }
        self.settled.insert(planned.id, Met::Planned);
        self.order.absent += planned.cut as u64;
        self.order.commits.push(planned);
        Ok(())
    }

    /// Looks at a commit for the first time; gives it back when its parents are to be looked at.
    fn meet(&mut self, id: GitId, read: &mut Read<'_>) -> Result<Option<Planned>, ImportError> {
        if self.settled.contains_key(&id) {
            return Ok(None);
        }
        if self.monitor.is_cancelled() {
            return Err(ImportError::Cancelled);
        }
        let before = self.earlier.commit(id)?;
        let found = if before.is_none() || self.regrown { read(id)? } else { None };
        let met = match (&found, before) {
            (Some(_), before) => Met::Open(before),
            (None, Some(_)) => Met::There,
            (None, None) => Met::Absent,
        };
        self.settled.insert(id, met);
        Ok(found)
    }
}
