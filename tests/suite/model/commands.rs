//! What a person asks of the program, and what the model says should come of it.

use super::notes::joined;
use super::steps::{DRAFTS, PATHS, Step, WORDS};
use super::story::{Expected, Outcome, Story};
use super::things::{Files, carry_over, differing, is_below, is_within, overlay};
use super::user::{nth_folder, nth_of};
use super::world::text;
use crate::app_flow::{anna, path};
use pentimento::app::error::AppError;
use pentimento::app::{commit, draft, mv, restore, switch};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::repo::edit::JournalNote;
use pentimento::repo::history::is_ancestor;
use pentimento::repo::refs::RefTarget;
use std::collections::BTreeSet;

fn path_of(at: u8) -> &'static str {
    PATHS[usize::from(at) % PATHS.len()]
}

pub fn refused_if<T>(expected: bool, error: AppError) -> Result<T, AppError> {
    assert!(expected, "refused without need: {error:?}");
    Err(error)
}

impl Story {
    /// One command other than undo and redo.
    pub fn act(&mut self, step: &Step) -> Outcome {
        match *step {
            Step::Commit => self.commit(None),
            Step::CommitPath { at } => self.commit(Some(path_of(at))),
            Step::Label { nth, word, remove } => {
                self.label(nth, WORDS[usize::from(word) % WORDS.len()], remove)
            }
            Step::Title { nth, value } => self.title(nth, value),
            Step::TagSet { name, commit } => self.tag_set(name, commit),
            Step::TagDelete { name } => self.tag_delete(name),
            Step::Collect { now } => self.collect(now),
            Step::Mv { nth, at } => self.mv(nth_of(&self.now.files, nth), path_of(at)),
            Step::MvFolder { nth, at } => self.mv(nth_folder(&self.now.files, nth), path_of(at)),
            Step::DraftCreate { name } => self.draft_new(name, false),
            Step::DraftBegin { name } => self.draft_new(name, true),
            Step::DraftDelete { nth, force } => self.draft_delete(nth, force),
            Step::DraftRename { nth, name } => self.draft_rename(nth, name),
            Step::Switch { nth } => self.switch(nth),
            Step::Advance { nth } => self.advance(nth),
            Step::Merge { nth } => self.merge(nth),
            Step::Resolve { nth, decision } => self.resolve(nth, decision),
            Step::Restore { commit, at, exact } => self.restore(commit, at, exact),
            _ => unreachable!("{step:?} is no command"),
        }
    }

    /// The nth branch by its full name and by the name that people use.
    pub fn nth_branch(&self, nth: u8) -> Option<(String, String)> {
        let names: Vec<&String> = self.now.refs.keys().collect();
        let full = (*names.get(usize::from(nth) % names.len().max(1))?).clone();
        let short = full.split_once('/').expect("a kind and a name").1.to_owned();
        Some((full, short))
    }

    fn commit(&mut self, within: Option<&str>) -> Outcome {
        let (head, seen) = (self.head_files(), self.seen());
        let options = commit::Options {
            message: Some("Next".into()),
            paths: within.iter().map(|text| path(text)).collect(),
            identity: Some(anna()),
            author: None,
            date: None,
            signing: None,
        };
        let pending = self.world.view().state().expect("a state").pending;
        let committed = self.now.head().map(|id| self.world.labels_of(id)).unwrap_or_default();
        let lab = &self.world.lab;
        let report = match commit::run(&lab.repository, &options, &lab.clock, &SilentMonitor) {
            Err(error @ AppError::Unresolved { .. }) => {
                return refused_if(self.now.undecided.as_ref().is_some_and(|paths| !paths.is_empty()), error);
            }
            Err(error @ AppError::MergeUnderWay { .. }) => {
                return refused_if(self.now.undecided.is_some() && within.is_some(), error);
            }
            report => report.expect("a commit"),
        };
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let mut wanted: BTreeSet<String> = differing(&head, &seen);
        let told = report.changes.iter();
        let told = told.filter_map(|line| Some((text(line.from.as_ref()?), text(&line.path))));
        let moves: Vec<(String, String)> = told.collect();
        // Also of what was moved by command and is gone since.
        let commanded = pending.moves.iter().map(|(to, from)| (text(from), text(to)));
        let all_moves: Vec<(String, String)> = moves.iter().cloned().chain(commanded).collect();
        let whole = within.is_none();
        // A committed file that made room for a folder goes with whatever is committed in that folder.
        let root = self.world.lab.folder.path().to_owned();
        let is_folder = |path: &String| root.join(path).symlink_metadata().is_ok_and(|found| found.is_dir());
        let made_room = |path: &String| head.contains_key(path) && is_folder(path);
        let is_asked = |path: &String| {
            within.is_none_or(|asked| is_within(path, asked) || (is_below(asked, path) && made_room(path)))
        };
        // A move is committed whole: one end of it alone would leave one asset at two places. What was moved by command
        // may have been moved on by hand, so an end may be that of another move.
        let mut ends: BTreeSet<&String> = BTreeSet::new();
        loop {
            let before = ends.len();
            for (from, to) in &all_moves {
                if [from, to].into_iter().any(|end| is_asked(end) || ends.contains(end)) {
                    ends.extend([from, to]);
                }
            }
            if ends.len() == before {
                break;
            }
        }
        wanted.retain(|path| is_asked(path) || ends.contains(path));
        let mut moment = self.now.clone();
        let Some(line) = report.commit else {
            assert!(wanted.is_empty(), "{wanted:?} should have been committed");
            return Ok(Expected { any_labels: true, ..Expected::of(moment) });
        };
        let put = seen.iter().filter(|(path, _)| wanted.contains(*path));
        let put: Files = put.map(|(path, thing)| (path.clone(), thing.clone())).collect();
        let files = overlay(&head, wanted.iter().cloned(), &put);
        assert_eq!(files, self.world.read_commit(line.id), "the commit is not what was there");
        self.add_commit(line.id, files.clone());
        moment.refs.insert(moment.branch.clone(), line.id);
        moment.undecided = None;
        moment.labels.retain(|path, _| !whole || files.contains_key(path));
        for (from, to) in moves.iter().filter(|(_, to)| wanted.contains(to)) {
            // What `mv` moved has its labels already; what was moved by hand brings them now.
            let is_commanded = pending.moves.get(&path(to)) == Some(&path(from));
            // Of a restored version that had no labels, that is said.
            let is_bare = pending.metadata.get(&path(to)) == Some(&None);
            // It may have been moved by command first, and by hand from there.
            let on = pending
                .moves
                .iter()
                .find(|(to, origin)| text(origin) == *from && !seen.contains_key(&text(to)));
            let place = on.map_or_else(|| from.clone(), |(to, _)| text(to));
            if let (false, Some(labels)) = (is_commanded || is_bare, self.now.labels.get(&place)) {
                moment.labels.insert(to.clone(), joined(self.now.labels.get(to), labels));
            }
            for left in [from, &place] {
                if !files.contains_key(left) {
                    moment.labels.remove(left);
                }
            }
        }
        if !whole {
            let is_meant = |path: &String| is_asked(path) || ends.contains(path);
            moment.labels.retain(|path, _| files.contains_key(path) || !is_meant(path));
        }
        // What had another file's place and goes is gone with its labels, asked for or not.
        moment.labels.retain(|path, _| files.contains_key(path) || !head.contains_key(path));
        // What was moved and is nowhere any more: a file in its old place is still that asset.
        for (to, from) in pending.moves.iter().map(|(to, from)| (text(to), text(from))) {
            let is_meant = whole || is_asked(&from) || is_asked(&to);
            let is_back = !seen.contains_key(&to) && seen.contains_key(&from);
            let is_other = pending.moves.contains_key(&path(&from)) || moment.labels.contains_key(&from);
            if let (true, true, false, Some(old)) = (is_meant, is_back, is_other, committed.get(&from)) {
                moment.labels.insert(from, old.clone());
            }
        }
        // What a merge brought has labels that the branch does not know of, and they move with it.
        let any_labels = self.now.undecided.is_some();
        Ok(Expected { any_labels, ..Expected::of(moment) })
    }

    fn mv(&mut self, from: Option<String>, to: &str) -> Outcome {
        let Some(from) = from else { return Ok(Expected::of(self.now.clone())) };
        let waits = self.world.view().state().expect("a state").pending.metadata;
        let lab = &self.world.lab;
        let report = match mv::run(&lab.repository, &path(&from), &path(to), &lab.clock, &SilentMonitor) {
            Err(error @ AppError::PathTaken { .. }) => return Err(error),
            Err(error @ AppError::Path { .. }) => {
                let name = from.rsplit('/').next().unwrap_or_default();
                return refused_if(is_within(to, &from) || format!("{to}/{name}") == from, error);
            }
            Err(error @ AppError::Worktree(_)) => {
                let above = self.now.files.keys().any(|path| is_within(to, path));
                return refused_if(above, error);
            }
            report => report.expect("a move"),
        };
        let to = text(&report.to);
        assert!(!self.now.files.keys().any(|path| is_within(path, &to)), "{to} was there already");
        let mut moment = self.now.clone();
        moment.files = renamed(&self.now.files, &from, &to);
        let committed = self.now.head().map(|id| self.world.labels_of(id)).unwrap_or_default();
        for path in self.now.labels.keys() {
            if is_within(path, &from) {
                let stays = committed.get(path).filter(|_| !self.now.files.contains_key(path));
                match stays {
                    Some(old) => moment.labels.insert(path.clone(), old.clone()),
                    None => moment.labels.remove(path),
                };
            }
        }
        // An asset that comes there has its own labels, if any, and what waits to be said of its new place, not what the
        // commit has there.
        let after = self.world.view().state().expect("a state").pending;
        for path_before in self.now.files.keys().filter(|path| is_within(path, &from)) {
            let target = format!("{to}{}", &path_before[from.len()..]);
            let is_asset = after.assets.contains_key(&path(&target));
            if is_asset && !waits.contains_key(&path(&target)) {
                moment.labels.remove(&target);
            }
        }
        for (path, labels) in &self.now.labels {
            let is_there = self.now.files.contains_key(path) || committed.get(path) != Some(labels);
            if is_within(path, &from) && is_there {
                moment.labels.insert(format!("{to}{}", &path[from.len()..]), labels.clone());
            }
        }
        // What a merge brought has labels that the branch does not know of.
        let any_labels = self.now.undecided.is_some();
        Ok(Expected { touched: BTreeSet::from([from, to]), any_labels, ..Expected::of(moment) })
    }

    fn draft_new(&mut self, name: u8, go_there: bool) -> Outcome {
        let name = DRAFTS[usize::from(name) % DRAFTS.len()];
        let lab = &self.world.lab;
        let made = if go_there {
            switch::begin_draft(&lab.repository, name, &lab.clock, &SilentMonitor).map(|report| report.branch)
        } else {
            draft::create(&lab.repository, name, None, &lab.clock).map(|report| report.name)
        };
        let full = self.full_name(&format!("draft/{name}"));
        let made = match made {
            Err(error @ AppError::NameTaken { .. }) => {
                return refused_if(self.now.refs.contains_key(&full), error);
            }
            Err(error @ AppError::Repo(_)) => return refused_if(self.now.head().is_none(), error),
            made => made.expect("a draft"),
        };
        assert_eq!(made, format!("draft/{name}"));
        let mut moment = self.now.clone();
        moment.refs.insert(full.clone(), self.now.head().expect("a head"));
        if go_there {
            moment.branch = full;
        }
        Ok(Expected::of(moment))
    }

    /// A branch's full name, made like that of the present branch.
    pub fn full_name(&self, short: &str) -> String {
        pentimento::repo::refs::RefName::branch(short).expect("a name").as_str().to_owned()
    }

    fn draft_delete(&mut self, nth: u8, force: bool) -> Outcome {
        let Some((full, short)) = self.nth_branch(nth) else { return Ok(Expected::of(self.now.clone())) };
        let lab = &self.world.lab;
        match draft::delete(&lab.repository, &short, force, &lab.clock, &SilentMonitor) {
            Err(error @ AppError::CurrentBranch { .. }) => {
                return refused_if(full == self.now.branch, error);
            }
            Err(error @ AppError::NoDraft { .. }) => return refused_if(!full.contains("draft/"), error),
            Err(error @ AppError::NotMerged { .. }) => return refused_if(!force, error),
            Err(error @ AppError::ShelvedWork { .. }) => {
                return refused_if(!force && self.now.shelves.contains_key(&full), error);
            }
            report => drop(report.expect("a removed draft")),
        }
        let mut moment = self.now.clone();
        moment.refs.remove(&full);
        moment.shelves.remove(&full);
        Ok(Expected::of(moment))
    }

    fn draft_rename(&mut self, nth: u8, name: u8) -> Outcome {
        let Some((full, short)) = self.nth_branch(nth) else { return Ok(Expected::of(self.now.clone())) };
        let name = DRAFTS[usize::from(name) % DRAFTS.len()];
        let to = self.full_name(&format!("draft/{name}"));
        if !full.contains("draft/") {
            return Ok(Expected::of(self.now.clone()));
        }
        let lab = &self.world.lab;
        match draft::rename(&lab.repository, &short, name, &lab.clock, &SilentMonitor) {
            Err(error @ AppError::NameTaken { .. }) => {
                return refused_if(self.now.refs.contains_key(&to), error);
            }
            report => drop(report.expect("a renamed draft")),
        }
        let mut moment = self.now.clone();
        let target = moment.refs.remove(&full).expect("a branch");
        moment.refs.insert(to.clone(), target);
        if let Some(work) = moment.shelves.remove(&full) {
            moment.shelves.insert(to.clone(), work);
        }
        if let Some(labels) = self.now.shelved_labels.get(&full).cloned() {
            moment.shelved_labels.insert(to.clone(), labels);
        }
        if let Some(base) = self.now.shelf_bases.get(&full).copied() {
            moment.shelf_bases.insert(to.clone(), base);
        }
        if moment.branch == full {
            moment.branch = to;
        }
        Ok(Expected::of(moment))
    }

    fn switch(&mut self, nth: u8) -> Outcome {
        let Some((full, short)) = self.nth_branch(nth) else { return Ok(Expected::of(self.now.clone())) };
        let seen = self.seen();
        let lab = &self.world.lab;
        let report = match switch::run(&lab.repository, &short, &lab.clock, &SilentMonitor) {
            Err(error @ AppError::AlreadyThere { .. }) => return refused_if(full == self.now.branch, error),
            report => report.expect("a switch"),
        };
        assert!(report.files.problems.is_empty(), "{:?}", report.files.problems);
        let head = self.now.refs[&full];
        let waiting = self.now.shelves.get(&full).cloned();
        let stood_on = self.now.shelf_bases.get(&full).copied().flatten();
        let is_carried = waiting.is_some() && stood_on != Some(head);
        let target = if is_carried {
            // What was left is carried over to what the branch has become.
            let view = self.world.view();
            let entry = self.world.last_entry().expect("an entry");
            self.world.tree_files(&view, entry.files.expect("a change of files").after)
        } else {
            waiting.clone().unwrap_or_else(|| self.world.commits[&head].clone())
        };
        if let (true, Some(work), Some(base)) = (is_carried, &waiting, stood_on) {
            let texts = report.texts_merged.iter().map(text).collect();
            let sides = [&self.world.commits[&base], &self.world.commits[&head], work];
            self.check_join(sides, &target, &texts, &report.conflicts);
        }
        let mut moment = self.now.clone();
        let committed = self.now.head().map(|id| self.world.labels_of(id)).unwrap_or_default();
        let had_work =
            seen != self.head_files() || committed != self.now.labels || self.now.undecided.is_some();
        let shelved = self.world.observe().shelves;
        if had_work || shelved.contains_key(&self.now.branch) {
            moment.shelves.insert(self.now.branch.clone(), seen.clone());
            moment.shelved_labels.insert(self.now.branch.clone(), self.now.labels.clone());
            moment.shelf_bases.insert(self.now.branch.clone(), self.now.head());
        }
        let labels = match moment.shelves.remove(&full) {
            Some(_) => self.now.shelved_labels.get(&full).cloned().unwrap_or_default(),
            None => self.world.labels_of(head),
        };
        moment.labels = labels;
        let ignored = differing(&self.now.files, &seen);
        moment.files = carry_over(&self.now.files, &seen, &target);
        for path in ignored.iter().filter(|path| target.contains_key(*path)) {
            moment.files.insert(path.clone(), target[path].clone());
        }
        moment.branch = full.clone();
        // Whether the target waits in a merge is only known from when it was left.
        moment.undecided = self.world.observe().undecided;
        let touched = all_paths(&self.now.files, &target);
        Ok(Expected { touched, any_labels: is_carried, ..Expected::of(moment) })
    }

    /// Lets another branch that is behind this one go to where this one stands.
    fn advance(&mut self, nth: u8) -> Outcome {
        let (Some((full, short)), Some(to)) = (self.nth_branch(nth), self.now.head()) else {
            return Ok(Expected::of(self.now.clone()));
        };
        let (from, lab) = (self.now.refs[&full], &self.world.lab);
        let is_behind = is_ancestor(&self.world.view(), from, to).expect("history");
        if full == self.now.branch || from == to || !is_behind {
            return Ok(Expected::of(self.now.clone()));
        }
        let name = pentimento::repo::refs::RefName::branch(&short).expect("a name");
        let mut edit = lab.repository.edit().expect("an edit");
        edit.set_reference(&name, Some(from), Some(RefTarget::plain(to))).expect("a move");
        let summary = format!("brought {name} forward");
        let note = JournalNote { verb: "land", summary, ..JournalNote::default() };
        edit.record(note, pentimento::base::time::Clock::now(&lab.clock)).expect("an entry");
        edit.commit().expect("a change");
        let mut moment = self.now.clone();
        moment.refs.insert(full, to);
        Ok(Expected::of(moment))
    }

    fn restore(&mut self, commit: u8, at: Option<u8>, exact: bool) -> Outcome {
        let id = self.world.order[usize::from(commit) % self.world.order.len()];
        let source = self.world.commits[&id].clone();
        let folder = at.map_or("", path_of);
        let wanted: Files = source
            .iter()
            .filter(|(path, _)| is_within(path, folder))
            .map(|(path, thing)| (path.clone(), thing.clone()))
            .collect();
        let options = restore::Options {
            revision: Some(id.to_string()),
            paths: vec![if folder.is_empty() { AssetPath::root() } else { path(folder) }],
            exact,
            ..restore::Options::default()
        };
        let moves = self.world.view().state().expect("a state").pending.moves;
        let lab = &self.world.lab;
        let report = match restore::run(&lab.repository, &options, &lab.clock, &SilentMonitor) {
            Err(error @ AppError::NotInRevision { .. }) => return refused_if(wanted.is_empty(), error),
            report => report.expect("a restore"),
        };
        assert!(report.files.problems.is_empty(), "{:?}", report.files.problems);
        let is_folder = !source.contains_key(folder);
        // While a merge waits, what it has brought is as good as committed.
        let merged = self.world.merged_files();
        let ground = if merged.is_empty() { self.head_files() } else { merged };
        let gone: Vec<String> = ground
            .into_keys()
            .filter(|path| exact && is_folder && is_within(path, folder) && !wanted.contains_key(path))
            .collect();
        let mut moment = self.now.clone();
        moment.files = overlay(&self.now.files, gone.iter().cloned(), &wanted);
        let labels = self.world.labels_of(id);
        for path in wanted.keys() {
            moment.labels.remove(path);
            moment.labels.extend(labels.get(path).map(|labels| (path.clone(), labels.clone())));
        }
        // A move that this has ended leaves nothing in its old place but what is committed there.
        let still = self.world.view().state().expect("a state").pending.moves;
        let committed = self.now.head().map(|id| self.world.labels_of(id)).unwrap_or_default();
        for from in moves.iter().filter(|(to, _)| !still.contains_key(*to)).map(|(_, from)| text(from)) {
            if let (false, Some(labels)) = (moment.files.contains_key(&from), committed.get(&from)) {
                moment.labels.insert(from, labels.clone());
            }
        }
        let touched = wanted.into_keys().chain(gone).collect();
        // What a merge brought has labels that the branch does not know of.
        let any_labels = self.now.undecided.is_some();
        Ok(Expected { touched, any_labels, ..Expected::of(moment) })
    }
}

fn all_paths(left: &Files, right: &Files) -> BTreeSet<String> {
    left.keys().chain(right.keys()).cloned().collect()
}

/// Files after one of them, or a folder of them, has another place.
fn renamed(files: &Files, from: &str, to: &str) -> Files {
    files
        .iter()
        .map(|(path, thing)| {
            let path =
                if is_within(path, from) { format!("{to}{}", &path[from.len()..]) } else { path.clone() };
            (path, thing.clone())
        })
        .collect()
}
