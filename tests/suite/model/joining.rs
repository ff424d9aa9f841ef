//! Merges and decisions: the model checks what any merge must hold to, and takes the rest over.

use super::story::{Expected, Outcome, Story};
use super::things::{Files, carry_over, differing};
use super::world::{ids, text};
use crate::app_flow::anna;
use pentimento::app::error::AppError;
use pentimento::app::merge::{self, Outcome as Merged};
use pentimento::app::resolve::{self, Decision};
use pentimento::base::monitor::SilentMonitor;
use pentimento::repo::history::common_ancestors;
use pentimento::repo::state::PendingConflict;
use std::collections::BTreeSet;

impl Story {
    pub fn merge(&mut self, nth: u8) -> Outcome {
        let Some((full, short)) = self.nth_branch(nth) else { return Ok(Expected::of(self.now.clone())) };
        let options = merge::Options { name: short, identity: Some(anna()), message: None };
        let lab = &self.world.lab;
        let report = match merge::run(&lab.repository, &options, &lab.clock, &SilentMonitor) {
            Err(error @ AppError::MergeUnderWay { .. }) => {
                assert!(self.now.undecided.is_some(), "refused without need: {error:?}");
                return Err(error);
            }
            Err(AppError::Uncommitted { paths }) => {
                let dirty = self.dirty();
                let clean = paths.iter().map(text).find(|path| !dirty.contains(path));
                assert_eq!(clean, None, "said to be in the way of the merge and uncommitted");
                return Err(AppError::Uncommitted { paths });
            }
            Err(error @ AppError::Repo(_)) => {
                assert!(self.now.head().is_none(), "refused without need: {error:?}");
                return Err(error);
            }
            report => report.expect("a merge"),
        };
        assert!(report.files.problems.is_empty(), "{:?}", report.files.problems);
        let head = self.now.head().expect("a head");
        let theirs = self.now.refs[&full];
        let mut moment = self.now.clone();
        let merged = match report.outcome {
            Merged::UpToDate => return Ok(Expected::of(moment)),
            Merged::Forward => {
                moment.refs.insert(moment.branch.clone(), theirs);
                self.world.commits[&theirs].clone()
            }
            Merged::Merged => {
                let id = report.commit.expect("a merge commit").id;
                let files = self.world.read_commit(id);
                self.add_commit(id, files.clone());
                moment.refs.insert(moment.branch.clone(), id);
                files
            }
            Merged::Undecided => {
                moment.undecided =
                    Some(report.conflicts.iter().map(|conflict| text(&conflict.path)).collect());
                let view = self.world.view();
                let entry = self.world.last_entry().expect("an entry");
                self.world.tree_files(&view, entry.files.expect("a change of files").after)
            }
        };
        let touched = differing(&self.head_files(), &merged);
        let overwritten = self.dirty().into_iter().find(|path| touched.contains(path));
        assert_eq!(overwritten, None, "uncommitted work was merged over");
        let view = self.world.view();
        if let [base] = common_ancestors(&view, head, theirs).expect("ancestors").as_slice() {
            let sides = [base, &head, &theirs].map(|id| &self.world.commits[id]);
            let texts = report.texts_merged.iter().map(text).collect();
            self.check_join(sides, &merged, &texts, &report.conflicts);
        }
        moment.files = carry_over(&self.now.files, &self.head_files(), &merged);
        Ok(Expected { any_labels: true, touched, ..Expected::of(moment) })
    }

    /// Paths with uncommitted changes.
    fn dirty(&self) -> BTreeSet<String> {
        let committed = self.now.head().map(|id| self.world.labels_of(id)).unwrap_or_default();
        let mut dirty = differing(&self.head_files(), &self.seen());
        let labelled = committed.keys().chain(self.now.labels.keys());
        dirty.extend(labelled.filter(|path| committed.get(*path) != self.now.labels.get(*path)).cloned());
        dirty
    }

    /// Nothing that either side did since the base may be missing from the result and the conflicts.
    pub fn check_join(
        &self,
        [base, ours, theirs]: [&Files; 3],
        merged: &Files,
        texts: &BTreeSet<String>,
        conflicts: &[PendingConflict],
    ) {
        let mut at_hand = ids(merged);
        let sides = conflicts.iter().flat_map(|conflict| [&conflict.ours, &conflict.theirs]).flatten();
        at_hand.extend(sides.filter_map(|side| side.content.file_id()).map(|id| *id.as_bytes()));
        for side in [ours, theirs] {
            for path in differing(base, side) {
                let Some(thing) = side.get(&path) else { continue };
                let is_old = ids(base).contains(&thing.id());
                let is_there = at_hand.contains(&thing.id()) || texts.contains(&path) || !texts.is_empty();
                assert!(is_old || is_there, "{path} ({thing:?}) is in neither result nor conflicts");
            }
        }
        let decided: BTreeSet<String> = conflicts.iter().map(|conflict| text(&conflict.path)).collect();
        for path in base.keys().filter(|path| !decided.contains(*path)) {
            // A path that both left alone is as it was.
            if ours.get(path) == base.get(path) && theirs.get(path) == base.get(path) {
                assert_eq!(merged.get(path), base.get(path), "{path} was changed by nobody");
            }
        }
    }

    pub fn resolve(&mut self, nth: Option<u8>, decision: Decision) -> Outcome {
        let state = self.world.view().state().expect("a state");
        // Work that was carried along is no merge that is to be committed: with its last decision it is over.
        let is_carried = state.merge.as_ref().is_some_and(|merge| merge.theirs.is_none());
        let waiting = state.merge.map(|merge| merge.conflicts).unwrap_or_default();
        let chosen = nth.and_then(|nth| waiting.get(usize::from(nth) % waiting.len().max(1)));
        let paths: Vec<_> = chosen.iter().map(|conflict| conflict.path.clone()).collect();
        let lab = &self.world.lab;
        let report = match resolve::run(&lab.repository, &paths, decision, &lab.clock, &SilentMonitor) {
            Err(error @ AppError::NoMerge) => {
                assert!(self.now.undecided.is_none(), "there is a merge");
                return Err(error);
            }
            report => report.expect("a decision"),
        };
        assert!(report.files.problems.is_empty(), "{:?}", report.files.problems);
        let decided: Vec<&PendingConflict> = match chosen {
            Some(conflict) => waiting.iter().filter(|other| other.path.is_within(&conflict.path)).collect(),
            None => waiting.iter().collect(),
        };
        let mut expected = Expected::of(self.now.clone());
        expected.any_labels = true;
        let open: Vec<String> =
            waiting.iter().filter(|other| !decided.contains(other)).map(|other| text(&other.path)).collect();
        expected.moment.undecided = (!is_carried || !open.is_empty()).then_some(open);
        let seen = self.world.observe().files;
        let at_hand = ids(&seen);
        for conflict in &decided {
            let sides = [&conflict.ours, &conflict.theirs];
            let wanted = match decision {
                Decision::AsIs => continue,
                Decision::Ours => &sides[..0],
                Decision::Theirs => &sides[1..],
                Decision::Both => &sides[1..],
            };
            let placed = [Some(&conflict.path), conflict.placed.as_ref()].into_iter().flatten();
            let places = sides.into_iter().flatten().map(|side| &side.path).chain(placed);
            expected.free.extend(places.map(text));
            if !conflict.fields.is_empty() {
                continue;
            }
            // Where the place is decided, the bytes are those that the merge made.
            let is_about_place = matches!(conflict.kind.as_str(), "moved-apart" | "path-taken");
            let is_both = decision == Decision::Both;
            for side in wanted.iter().copied().flatten().filter(|_| is_both || !is_about_place) {
                let id = side.content.file_id().expect("an id");
                assert!(at_hand.contains(id.as_bytes()), "{:?} of {conflict:?} is not there", decision);
            }
            // What else was decided about may stand there now.
            let other = |side: &&PendingConflict| side.path == conflict.path && *side != *conflict;
            if decided.iter().copied().any(|it| other(&it)) {
                continue;
            }
            if decision == Decision::Ours && conflict.ours.is_none() {
                // Of a path that two want, theirs goes from beside it, and what was put there since stays.
                let gone = match conflict.kind.as_str() {
                    "path-taken" => conflict.placed.as_ref().filter(|_| conflict.base.is_none()),
                    _ => Some(&conflict.path),
                };
                let left = gone.filter(|path| seen.contains_key(&text(path)));
                assert!(left.is_none(), "ours had removed {left:?}");
            }
            if decision == Decision::Theirs && conflict.theirs.is_none() {
                assert!(!seen.contains_key(&text(&conflict.path)), "theirs had removed {}", conflict.path);
            }
        }
        expected.free.extend(report.decided.iter().filter_map(|line| line.beside.as_ref()).map(text));
        let free = expected.free.clone();
        expected.free.extend(
            seen.keys()
                .chain(self.now.files.keys())
                .filter(|path| free.iter().any(|other| super::things::collide(other, path)))
                .cloned(),
        );
        expected.touched.clone_from(&expected.free);
        Ok(expected)
    }
}
