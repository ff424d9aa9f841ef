//! What a person is told about their files: new, changed, moved, removed, and what could not be read.
//!
//! A scan says which files may differ; here those are read, as few as possible: a changed size needs
//! no reading, a new file is read only if a removed one has its size (it may be that one, moved),
//! and what was read before and looks the same is remembered.

mod model;
mod moves;
mod read;

pub use model::{Change, Status, What};

use super::clock::FsClock;
use super::error::Result;
use super::index::{Fresh, Index};
use super::probe::ContentProbe;
use super::root::Worktree;
use super::scan::{Found, Scan, ScanInput, ScanItem, scan};
use super::seen::{Seen, SeenFile, write_seen};
use super::stat::Node;
use crate::base::id::AssetId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::object::tree::TreeNode;
use crate::object::tree_walk::tree_order;
use crate::rules::ignore::IgnoreStack;
use read::{Answer, Reader, Reading};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Only what must be read to tell changed from unchanged and moved from new.
    Needed,
    /// As [`Measure::All`] while the new and changed files have at most so many bytes together, else as
    /// [`Measure::Needed`].
    UpTo(u64),
    /// Every new and changed file, to say how many bytes would be new to the repository.
    All,
    /// Every new and changed file, even if it was read before: the probe keeps what it reads.
    Store,
}

/// What to tell about.
pub struct StatusInput<'a, P> {
    /// The user's folder.
    pub worktree: &'a Worktree,
    /// The remembered state; `None` when nothing was ever committed.
    pub index: Option<&'a Index>,
    /// Where the remembered hashes lie, `.pent/worktree`. Written when it can be.
    pub state_dir: &'a Path,
    /// The rules that hold in the top folder, without its own `.pentignore`.
    pub ignore: &'a IgnoreStack,
    /// Look at these paths and what lies below them only; empty means everything.
    pub within: &'a [AssetPath],
    /// Moves that the user made by command, from and to; they hold whatever the content.
    pub moves: &'a [(AssetPath, AssetPath)],
    /// Which assets new files were said to be; no other asset is taken to have moved there.
    pub claims: &'a BTreeMap<AssetPath, AssetId>,
    /// Whether what stands at a path, or that nothing does, is only what a command left there that could
    /// not bring the path to its state.
    pub is_unwritten: &'a dyn Fn(&AssetPath, Option<&Node>) -> bool,
    /// Reads files.
    pub probe: &'a P,
    /// How much is read.
    pub measure: Measure,
}

/// Name of the file of remembered hashes in the state folder.
pub const SEEN_FILE: &str = "seen";

/// Compares the files with the committed state.
///
/// # Errors
/// As [`scan`], and when the repository cannot be asked about content.
pub fn status<P: ContentProbe>(input: &StatusInput<'_, P>, monitor: &dyn Monitor) -> Result<Status> {
    let clock = FsClock::new(input.state_dir);
    let mut scanned = scan(
        &ScanInput {
            worktree: input.worktree,
            index: input.index,
            ignore: input.ignore,
            within: input.within,
            moves: input.moves,
        },
        monitor,
    )?;
    scanned.items.iter_mut().for_each(|item| set_unwritten_apart(item, input.is_unwritten));
    let seen_path = input.state_dir.join(SEEN_FILE);
    let storing = input.measure == Measure::Store;
    let everything = reads_everything(input.measure, &scanned.items);
    let seen = if scanned.items.is_empty() || storing { None } else { Seen::open(&seen_path) };
    let base = input.index.map_or_else(TreeNode::empty_id, Index::base);
    let reader = Reader {
        worktree: input.worktree,
        clock: &clock,
        probe: input.probe,
        seen: seen.as_ref(),
        measure: everything,
        new_bytes_known: seen.as_ref().is_some_and(|seen| seen.base() == base),
        monitor,
    };
    let wanted = what_to_read(&scanned.items, input.moves, everything);
    input.probe.expect(read::bytes_of(&scanned.items, &wanted))?;
    reader.announce(&scanned.items, &wanted);
    let left = input.moves.iter().map(|(from, _)| from).collect();
    let mut gathering = Gathering::new(scanned, !storing, left);
    while gathering.take_stretch(&reader, &wanted)? {}
    let Gathering { mut status, mut remembered, any_new, standing, .. } = gathering;
    if any_new && !storing {
        if let (Some(seen), false) = (&seen, input.within.is_empty()) {
            keep_others(&mut remembered, seen);
        }
        // Where nothing can be written, the next status reads again what this one read.
        let _ = write_seen(&seen_path, base, remembered);
    }
    let unmoved = moves::find_moves(&mut status.changes, input.moves, input.claims, &standing);
    status.take_unchanged(unmoved);
    status.measured = everything;
    Ok(status)
}

/// Tells what nobody has changed since a command could not bring it to its state from what was changed
/// or removed.
fn set_unwritten_apart(item: &mut ScanItem, is_unwritten: &dyn Fn(&AssetPath, Option<&Node>) -> bool) {
    let (node, base) = match &mut item.found {
        Found::New { node } => (Some(&*node), None),
        Found::Suspect { node, base } => (Some(&*node), Some(base)),
        Found::Removed { base } => (None, Some(base)),
        _ => return,
    };
    if is_unwritten(&item.path, node) {
        item.found = Found::Unwritten { base: base.cloned() };
    }
}

/// Whether every new and changed file is read.
fn reads_everything(measure: Measure, items: &[ScanItem]) -> bool {
    let sizes = items.iter().filter_map(|item| match &item.found {
        Found::New { node } | Found::Suspect { node, .. } => Some(node.stat.size),
        _ => None,
    });
    match measure {
        Measure::Needed => false,
        Measure::UpTo(most) => sizes.fold(0, u64::saturating_add) <= most,
        Measure::All | Measure::Store => true,
    }
}

/// Items that are read before what was read of them is put together, so that the answers about a
/// million files never lie in memory at once.
const STRETCH_ITEMS: usize = 64 * 1024;

impl Status {
    /// Counts files that turned out as committed.
    fn take_unchanged(&mut self, unmoved: Vec<Change>) {
        if unmoved.is_empty() {
            return;
        }
        for Change { path, node, file_id, settled, .. } in unmoved {
            if let (Some(node), Some(id)) = (node, file_id) {
                self.tallies.unchanged_files += 1;
                self.tallies.unchanged_bytes += node.stat.size;
                self.refreshed.push(Fresh { path, id, stat: node.stat, settled });
            }
        }
        self.refreshed.sort_by(|one, other| tree_order(&one.path, &other.path));
    }
}

/// What was scanned on its way to what people are told.
struct Gathering<'a> {
    items: std::vec::IntoIter<ScanItem>,
    /// How many items were taken.
    taken: usize,
    remembering: bool,
    status: Status,
    remembered: Vec<SeenFile>,
    /// Whether anything was read that was not known before.
    any_new: bool,
    /// The old places of moves by command.
    left: HashSet<&'a AssetPath>,
    /// Positions of changes that are none unless an asset was moved away from there.
    standing: HashSet<usize>,
}

impl<'a> Gathering<'a> {
    fn new(scanned: Scan, remembering: bool, left: HashSet<&'a AssetPath>) -> Self {
        let status = Status {
            changes: Vec::with_capacity(scanned.items.len()),
            refreshed: Vec::new(),
            tallies: scanned.tallies,
            nested: scanned.nested,
            measured: false,
            leftovers: scanned.leftovers,
            withheld: 0,
        };
        let items = scanned.items.into_iter();
        let (remembered, standing) = (Vec::new(), HashSet::new());
        Self { items, taken: 0, remembering, status, remembered, any_new: false, left, standing }
    }

    /// Reads the next items and says what became of them; `false` when there are no more.
    fn take_stretch<P: ContentProbe>(&mut self, reader: &Reader<'_, P>, wanted: &[bool]) -> Result<bool> {
        let stretch: Vec<ScanItem> = self.items.by_ref().take(STRETCH_ITEMS).collect();
        let answers = reader.read(&stretch, wanted.get(self.taken..).unwrap_or_default())?;
        self.taken += stretch.len();
        self.any_new |=
            answers.iter().flatten().any(|answer| matches!(answer, Answer::Read(read) if !read.remembered));
        if self.remembering {
            self.remembered.extend(remember(&stretch, &answers));
        }
        let more = !stretch.is_empty();
        self.conclude(stretch, answers);
        Ok(more)
    }

    fn conclude(&mut self, items: Vec<ScanItem>, answers: Vec<Option<Answer>>) {
        let status = &mut self.status;
        for (item, answer) in items.into_iter().zip(answers) {
            let path = item.path.clone();
            match model::change(item, answer, self.left.contains(&path)) {
                model::Outcome::Change(change) => status.changes.push(*change),
                model::Outcome::Unchanged(reading) => {
                    status.tallies.unchanged_files += 1;
                    status.tallies.unchanged_bytes += reading.node.stat.size;
                    status.refreshed.push(fresh(path, &reading));
                }
                model::Outcome::Standing(change) => {
                    self.standing.insert(status.changes.len());
                    status.changes.push(*change);
                }
                model::Outcome::Nothing => {}
            }
        }
    }
}

/// Which items are to be read.
fn what_to_read(items: &[ScanItem], moves: &[(AssetPath, AssetPath)], everything: bool) -> Vec<bool> {
    let removed_sizes: HashSet<u64> = items
        .iter()
        .filter_map(|item| match &item.found {
            Found::Removed { base } => model::size_of(&base.content),
            _ => None,
        })
        .collect();
    let moved_to: HashSet<&AssetPath> = moves.iter().map(|(_, to)| to).collect();
    items
        .iter()
        .map(|item| match &item.found {
            Found::Suspect { node, base } => {
                everything || model::size_of(&base.content) == Some(node.stat.size)
            }
            Found::New { node } => {
                everything
                    || (node.stat.size > 0 && removed_sizes.contains(&node.stat.size))
                    || moved_to.contains(&item.path)
            }
            _ => false,
        })
        .collect()
}

/// What the next status need not read.
fn remember<'a>(items: &'a [ScanItem], answers: &'a [Option<Answer>]) -> impl Iterator<Item = SeenFile> + 'a {
    let read = items.iter().zip(answers).filter_map(|(item, answer)| match answer {
        Some(Answer::Read(read)) => Some((item, read)),
        _ => None,
    });
    read.filter(|(_, read)| read.settled).map(|(item, read)| SeenFile {
        path: item.path.clone(),
        stat: read.node.stat,
        id: read.id,
        new_bytes: read.new_bytes,
    })
}

/// Adds what is remembered of files that were not asked about this time.
fn keep_others(remembered: &mut Vec<SeenFile>, seen: &Seen) {
    let told: HashSet<AssetPath> = remembered.iter().map(|file| file.path.clone()).collect();
    remembered.extend(seen.files().filter(|file| !told.contains(&file.path)));
}

fn fresh(path: AssetPath, reading: &Reading) -> Fresh {
    Fresh { path, id: reading.id, stat: reading.node.stat, settled: reading.settled }
}
