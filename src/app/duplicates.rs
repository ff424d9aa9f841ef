//! `duplicates`: what the repository has more than once, exactly or nearly.

use crate::app::common::describe::EntryLine;
use crate::app::error::AppError;
use crate::app::search::IndexLine;
use crate::app::search::open::{Opened, Upkeep, open};
use crate::app::search::place::CatalogPlace;
use crate::app::search::read::Budget;
use crate::app::similar::standing_lines;
use crate::base::id::FileId;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::catalog::visibility::Visibility;
use crate::media::worker::Workers;
use crate::object::source::ObjectSource as _;
use crate::object::tree::Content;
use crate::object::tree_walk::TreeWalk;
use crate::repo::{RepoError, Repository};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Most groups that are told; the rest is counted.
pub const GROUPS_MAX: usize = 1_000;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Pictures and films that look the same, and not only what has the same bytes.
    pub near: bool,
    /// What the asker may see.
    pub visibility: Visibility,
}

/// What is there more than once.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Groups of the same bytes, the largest first.
    pub exact: Vec<GroupLine>,
    /// Groups of pictures and films that look the same.
    pub near: Vec<GroupLine>,
    /// Groups that are not told, of both kinds.
    pub more: u64,
    /// How the answer came about; `None` where only bytes were compared.
    pub index: Option<IndexLine>,
}

/// Assets that are the same, or look it.
#[derive(Debug, Clone, Serialize)]
pub struct GroupLine {
    /// Bytes of one of them; of the largest where they differ.
    pub size: u64,
    /// The assets.
    pub assets: Vec<EntryLine>,
}

/// Looks for them.
pub fn run(
    repository: &Repository,
    options: &Options,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let mut exact = exact(repository, &options.visibility, monitor)?;
    let (mut near, mut index) = (Vec::new(), None);
    if options.near {
        let upkeep = Upkeep { workers, budget: Budget::SEARCH, anew: false, now: clock.now(), monitor };
        let opened = open(repository, upkeep)?;
        near = near_groups(repository, &opened, &options.visibility)?;
        index = Some(IndexLine::of(&opened, true)?);
    }
    let more = exact.len().saturating_sub(GROUPS_MAX) + near.len().saturating_sub(GROUPS_MAX);
    exact.truncate(GROUPS_MAX);
    near.truncate(GROUPS_MAX);
    Ok(Report { exact, near, more: more as u64, index })
}

/// Files of the newest commit whose content stands at more than one path. Empty files are all the same
/// and no duplicates. Walks twice, so that memory goes to what is there twice and not to all.
fn exact(
    repository: &Repository,
    visibility: &Visibility,
    monitor: &dyn Monitor,
) -> Result<Vec<GroupLine>, AppError> {
    monitor.phase(Phase { name: "Comparing", files_total: None, bytes_total: None });
    let view = repository.view()?;
    let Some(head) = view.head()? else { return Ok(Vec::new()) };
    let tree = view.commit(head)?.tree;
    let mut once: HashSet<u64> = HashSet::new();
    let mut twice: HashSet<u64> = HashSet::new();
    let mut groups: BTreeMap<FileId, GroupLine> = BTreeMap::new();
    for round in 0..2 {
        for item in TreeWalk::new(&view, tree, AssetPath::root()) {
            let (path, entry) = item.map_err(RepoError::from)?;
            if monitor.is_cancelled() {
                return Err(AppError::Cancelled);
            }
            let Content::File { id, size, .. } = entry.content else { continue };
            if size == 0 || visibility.hidden.iter().any(|pattern| pattern.matches_path(&path)) {
                continue;
            }
            if round == 0 {
                if !once.insert(hash(id)) {
                    twice.insert(hash(id));
                }
            } else if twice.contains(&hash(id)) {
                let group = groups.entry(id).or_insert_with(|| GroupLine { size, assets: Vec::new() });
                group.assets.push(EntryLine::new(&path, &entry));
            }
        }
        once = HashSet::new();
    }
    let mut groups: Vec<GroupLine> = groups.into_values().filter(|group| group.assets.len() > 1).collect();
    groups.sort_by(|left, right| {
        let weight = |group: &GroupLine| group.size * (group.assets.len() as u64 - 1);
        weight(right).cmp(&weight(left)).then_with(|| left.assets[0].path.cmp(&right.assets[0].path))
    });
    Ok(groups)
}

fn hash(id: FileId) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// Pictures and films of all branches that look the same and are not; those of one asset alone are its versions.
fn near_groups(
    repository: &Repository,
    opened: &Opened,
    visibility: &Visibility,
) -> Result<Vec<GroupLine>, AppError> {
    let mut lines: HashMap<FileId, Vec<EntryLine>> = HashMap::new();
    let prints = CatalogPlace::of(repository).prints();
    let mut groups = Vec::new();
    for files in prints.groups(&|_| true)? {
        let mut assets = Vec::new();
        for file in files {
            let found = standing_lines(opened, file, visibility)?;
            lines.insert(file, found.iter().map(|(entry, _)| entry.clone()).collect());
            // What is exactly the same is told once, as one of them.
            assets.extend(found.into_iter().next().map(|(entry, _)| entry));
        }
        let distinct: HashSet<_> = assets.iter().map(|entry| entry.asset).collect();
        if assets.len() > 1 && distinct.len() > 1 {
            let size = assets.iter().filter_map(|entry| entry.size).max().unwrap_or(0);
            groups.push(GroupLine { size, assets });
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.size));
    Ok(groups)
}
