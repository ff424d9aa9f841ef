//! Runs a story step by step and holds what comes of it against the model.

use super::steps::Step;
use super::things::{Files, collide, differing, is_within};
use super::user::Hand;
use super::world::{Moment, World, ids, visible};
use pentimento::app::error::AppError;
use pentimento::app::undo::{self, Direction};
use pentimento::base::id::CommitId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::worktree::WorktreeError;
use std::collections::BTreeSet;

/// A command that `undo` can take back.
#[derive(Debug, Clone)]
pub struct Deed {
    pub verb: String,
    pub before: Moment,
    pub after: Moment,
    /// Paths that the command may have put aside although they look the same afterwards.
    pub touched: BTreeSet<String>,
    /// Paths that were removed by hand between its undo and its redo: to take it back once more may
    /// bring them back.
    pub doubtful: BTreeSet<String>,
}

/// A story: the world, its model, and what was done so far.
pub struct Story {
    pub world: World,
    pub now: Moment,
    pub done: Vec<Deed>,
    pub undone: Vec<Deed>,
}

/// What a command should have made of the world, as far as the model says.
pub struct Expected {
    pub moment: Moment,
    /// Paths about which the model says nothing.
    pub free: BTreeSet<String>,
    /// Whether labels may be anything.
    pub any_labels: bool,
    pub touched: BTreeSet<String>,
}

impl Expected {
    pub fn of(moment: Moment) -> Self {
        Self { moment, free: BTreeSet::new(), any_labels: false, touched: BTreeSet::new() }
    }
}

/// The outcome of a command: what was expected of it, or that it was refused.
pub type Outcome = Result<Expected, AppError>;

impl Story {
    pub fn begin() -> Self {
        let mut world = World::new();
        world.lab.write(".pentignore", "*.tmp\n");
        let before = world.observe();
        let first = world.lab.commit("Rules").commit.expect("a commit").id;
        let now = world.observe();
        world.commits.insert(first, now.files.clone());
        world.order.push(first);
        world.learn();
        let touched = BTreeSet::new();
        let done = vec![Deed {
            verb: "commit".into(),
            before,
            after: now.clone(),
            touched,
            doubtful: BTreeSet::new(),
        }];
        Self { world, now, done, undone: Vec::new() }
    }

    /// The files of the newest commit.
    pub fn head_files(&self) -> Files {
        self.now.head().map(|id| self.world.commits[&id].clone()).unwrap_or_default()
    }

    pub fn seen(&self) -> Files {
        visible(&self.now.files, &self.tracked_files())
    }

    /// What is committed, or is going to be by a merge: rules leave nothing of it out.
    fn tracked_files(&self) -> Files {
        let mut files = self.head_files();
        files.extend(self.world.merged_files());
        files.extend(self.world.moved_files(&self.now.files));
        files
    }

    /// Takes note of a commit that was made.
    pub fn add_commit(&mut self, id: CommitId, files: Files) {
        if self.world.commits.insert(id, files).is_none() {
            self.world.order.push(id);
        }
    }

    /// Tells one step.
    pub fn tell(mut self, step: &Step) -> Self {
        if matches!(step, Step::Reopen) {
            self.world = self.world.reopen();
        } else if let Step::Hide { nth } = step {
            self.hide(*nth);
        } else {
            let root = self.world.lab.folder.path().to_owned();
            let mut hand = Hand { root: &root, files: &mut self.now.files };
            if !hand.act(step) {
                self.command(step);
            }
        }
        super::shortest::show_step(step, &self.world);
        let seen = self.world.observe();
        let wrong = self.now.differences(&seen);
        let waits = self.world.view().state().expect("a state").pending;
        let there: Vec<&String> = seen.files.keys().collect();
        assert!(wrong.is_empty(), "after {step:?}: {wrong:#?} while {waits:?} waits beside {there:?}");
        self.world.check_status(&self.now);
        self
    }

    fn command(&mut self, step: &Step) {
        let before = self.now.clone();
        let last_before = self.world.last_entry().map_or(0, |entry| entry.sequence);
        let aside_before = self.world.set_aside();
        let outcome = match step {
            Step::Undo | Step::Redo => self.reverse(matches!(step, Step::Undo)),
            other => self.act(other),
        };
        let seen = self.world.observe();
        self.world.learn();
        match outcome {
            Err(error) => {
                let wrong = before.differences(&seen);
                assert!(wrong.is_empty(), "{step:?} was refused ({error}) and yet changed: {wrong:#?}");
                let last = self.world.last_entry().map_or(0, |entry| entry.sequence);
                assert_eq!(last, last_before, "a refused command is in the journal");
            }
            Ok(expected) => {
                let touched = expected.touched.clone();
                self.settle(expected, seen);
                self.note_deed(before.clone(), last_before, touched);
            }
        }
        let mut kept = self.world.set_aside();
        kept.extend(ids(&self.now.files));
        kept.extend(self.world.stored.iter().copied());
        for (path, thing) in &before.files {
            assert!(kept.contains(&thing.id()), "{path} ({thing:?}) is lost after {step:?}");
        }
        let lost = aside_before.iter().filter(|id| !kept.contains(*id)).count();
        assert_eq!(lost, 0, "something that had been set aside is lost after {step:?}");
    }

    /// Takes over what was seen where the model has no opinion; the rest is compared by the caller.
    fn settle(&mut self, mut expected: Expected, seen: Moment) {
        for path in &expected.free {
            match seen.files.get(path) {
                Some(thing) => expected.moment.files.insert(path.clone(), thing.clone()),
                None => expected.moment.files.remove(path),
            };
        }
        if expected.any_labels {
            expected.moment.labels = seen.labels;
        }
        self.now = expected.moment;
    }

    /// Keeps for `undo` what the journal says can be taken back.
    pub fn note_deed(&mut self, before: Moment, last_before: u64, touched: BTreeSet<String>) {
        let Some(entry) = self.world.last_entry().filter(|entry| entry.sequence > last_before) else {
            return;
        };
        assert_eq!(entry.sequence, last_before + 1, "one command is one entry of the journal");
        if entry.reverses.is_none() && entry.can_be_undone() {
            let after = self.now.clone();
            let doubtful = BTreeSet::new();
            self.done.push(Deed { verb: entry.verb, before, after, touched, doubtful });
            self.undone.clear();
        }
    }

    /// Takes the last deed back, or does it again.
    fn reverse(&mut self, is_undo: bool) -> Outcome {
        let direction = if is_undo { Direction::Undo } else { Direction::Redo };
        let lab = &self.world.lab;
        let report = undo::run(&lab.repository, direction, &lab.clock, &SilentMonitor);
        let deed = if is_undo { self.done.last() } else { self.undone.last() };
        let Some(deed) = deed.cloned() else {
            assert!(matches!(report, Err(AppError::NothingTo { .. })), "{report:?}");
            return Err(report.expect_err("a refusal"));
        };
        let report = match report {
            Err(error) if deed.verb == "mv" && blocks_move(&error) => return Err(error),
            report => report.unwrap_or_else(|error| panic!("{direction:?} of {}: {error}", deed.verb)),
        };
        assert_eq!(report.verb, deed.verb);
        let (from, to) = if is_undo { (&deed.after, &deed.before) } else { (&deed.before, &deed.after) };
        let is_as_left = self.now.files == from.files;
        // What somebody removed in between may come back and leave no room; that is told then.
        let is_sure = is_as_left && deed.doubtful.is_empty();
        assert!(!is_sure || report.files.problems.is_empty(), "{:?}", report.files.problems);
        let mut expected = reversed(&self.now.files, from, to, &deed);
        expected.moment.files.retain(|path, _| !expected.free.contains(path));
        if is_undo {
            self.done.pop();
            let deed = self.with_what_was_replaced(deed);
            self.undone.push(deed);
        } else {
            self.undone.pop();
            let before = self.now.clone();
            let mut doubtful = differing(&before.files, &deed.before.files);
            doubtful.retain(|path| !before.files.contains_key(path));
            doubtful.extend(deed.doubtful.iter().cloned());
            let seen = self.world.observe();
            let Moment { shelved_labels, shelf_bases, .. } = deed.after.clone();
            let after = Moment { shelved_labels, shelf_bases, ..seen };
            self.done.push(Deed { before, after, doubtful, ..deed });
        }
        Ok(expected)
    }
}

impl Story {
    /// What somebody had made of files when a deed was taken back, and that took the place of, comes back
    /// when it is done again.
    fn with_what_was_replaced(&self, mut deed: Deed) -> Deed {
        let seen = self.world.observe();
        for path in differing(&self.now.files, &deed.after.files) {
            let (here, left) = (self.now.files.get(&path), seen.files.get(&path));
            if here.is_none() {
                // Somebody removed it: what comes is what the command had made of it, if there is room.
                deed.doubtful.insert(path);
                continue;
            }
            if left == here || left != deed.before.files.get(&path) {
                continue;
            }
            deed.after.files.extend(here.map(|here| (path, here.clone())));
        }
        deed
    }
}

/// What should be there once a deed is taken back or done again, given that files may have changed
/// since: what did not change becomes what it was; what changed and the deed had nothing to do with
/// stays; about the rest only one thing is sure, that it is not lost.
fn reversed(now: &Files, from: &Moment, to: &Moment, deed: &Deed) -> Expected {
    let mut files = Files::new();
    let mut free = BTreeSet::new();
    let known = now.keys().chain(from.files.keys()).chain(to.files.keys());
    let all: BTreeSet<&String> = known.chain(&deed.doubtful).collect();
    let changed = differing(now, &from.files);
    for path in &all {
        let (here, then, wanted) = (now.get(*path), from.files.get(*path), to.files.get(*path));
        let is_entangled = !changed.is_empty() && all.iter().any(|other| collide(other, path));
        // What may come back may need the room of it.
        let is_doubtful = deed.doubtful.iter().any(|other| other == *path || collide(other, path));
        let chosen = if is_entangled || is_doubtful {
            None
        } else if here == then {
            Some(wanted)
        } else if then == wanted && !deed.touched.contains(*path) {
            Some(here)
        } else {
            None
        };
        match chosen {
            None => drop(free.insert((*path).clone())),
            Some(thing) => files.extend(thing.map(|thing| ((*path).clone(), thing.clone()))),
        }
    }
    if deed.verb == "mv" && !changed.is_empty() {
        // A folder takes along whatever was put into it since.
        free.extend(all.iter().map(|path| (*path).clone()));
        free.extend(now.keys().flat_map(|path| moved_names(path, deed)));
    }
    Expected { moment: Moment { files, ..to.clone() }, free, any_labels: false, touched: BTreeSet::new() }
}

/// Where a path may be after a folder was moved back or forth.
fn moved_names(path: &str, deed: &Deed) -> Vec<String> {
    let ends: Vec<&String> = deed.touched.iter().collect();
    let pairs = ends.iter().flat_map(|from| ends.iter().map(move |to| (*from, *to)));
    pairs
        .filter(|(from, to)| from != to && is_within(path, from))
        .map(|(from, to)| format!("{to}{}", &path[from.len()..]))
        .collect()
}

/// Whether a move cannot be taken back because of what was done to the files since.
fn blocks_move(error: &AppError) -> bool {
    matches!(
        error,
        AppError::PathTaken { .. }
            | AppError::NotInRevision { .. }
            | AppError::Worktree(WorktreeError::Obstructed { .. })
    )
}
