//! Which commits are to be imported, in an order in which parents come first.

use crate::base::id::GitId;
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
    /// Its parents as far as they are there, in order.
    pub parents: Vec<GitId>,
}

/// The commits of an import.
#[derive(Debug, Default)]
pub struct Order {
    /// Parents first.
    pub commits: Vec<Planned>,
    /// Commits that are named as parents and are not in the repository.
    pub absent: u64,
}

/// Finds all commits that the tips reach and that are not known yet.
///
/// The order follows from the tips alone: another run finds the same.
pub fn order(
    objects: &Objects,
    tips: &[GitId],
    shallow: &HashSet<GitId>,
    is_known: &dyn Fn(GitId) -> Result<bool, ImportError>,
    monitor: &dyn Monitor,
) -> Result<Order, ImportError> {
    monitor.phase(Phase { name: "Reading history", files_total: None, bytes_total: None });
    objects.with_reader(|reader| {
        let mut buffer = Vec::new();
        let mut read = |id: GitId| -> Result<Option<Planned>, ImportError> {
            if !reader.find_kind(id, Kind::Commit, &mut buffer)? {
                return Ok(None);
            }
            let (tree, parents) = parse::commit_links(&buffer);
            let tree = tree.ok_or(ImportError::Object { id, source: None })?;
            let parents = if shallow.contains(&id) { Vec::new() } else { parents };
            Ok(Some(Planned { id, tree, parents }))
        };
        let mut walk = Walk { order: Order::default(), settled: HashMap::new(), is_known, monitor };
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
    /// Its parents are being looked at.
    Open,
    /// It was imported before or stands in the order.
    There,
    /// It is not in the repository.
    Absent,
}

struct Walk<'a> {
    order: Order,
    settled: HashMap<GitId, Met>,
    is_known: &'a dyn Fn(GitId) -> Result<bool, ImportError>,
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
            let Some((mut planned, _)) = open.pop() else { break };
            planned.parents.retain(|parent| self.settled.get(parent) == Some(&Met::There));
            self.settled.insert(planned.id, Met::There);
            self.order.commits.push(planned);
            self.monitor.commits(self.order.commits.len() as u64, 0);
        }
        Ok(self.settled.get(&tip) == Some(&Met::There))
    }

    /// Looks at a commit for the first time; gives it back when its parents are to be looked at.
    fn meet(&mut self, id: GitId, read: &mut Read<'_>) -> Result<Option<Planned>, ImportError> {
        if self.settled.contains_key(&id) {
            return Ok(None);
        }
        if self.monitor.is_cancelled() {
            return Err(ImportError::Cancelled);
        }
        if (self.is_known)(id)? {
            self.settled.insert(id, Met::There);
            return Ok(None);
        }
        let found = read(id)?;
        self.order.absent += u64::from(found.is_none());
        self.settled.insert(id, if found.is_some() { Met::Open } else { Met::Absent });
        Ok(found)
    }
}
