//! Metadata, tags, collections, and folders that are hidden for a moment.

use super::commands::refused_if;
use super::steps::TAGS;
use super::story::{Expected, Outcome, Story};
use super::things::{Files, is_below};
use super::user::{nth_folder, nth_of};
use super::world::{BETWEEN, text};
use crate::app_flow::{anna, path};
use pentimento::app::error::AppError;
use pentimento::app::undo::{self, Direction};
use pentimento::app::{gc, meta, sparse, tag};
use pentimento::base::monitor::SilentMonitor;
use std::collections::{BTreeMap, BTreeSet};

/// Fields of a path, by name, from the one line that the model keeps.
fn fields_of(line: Option<&String>) -> BTreeMap<String, String> {
    let parts = line.into_iter().flat_map(|line| line.split(BETWEEN));
    parts
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What is said of a new place and of the asset that turns out to stand there: labels of both, else what is said of
/// the place.
pub fn joined(here: Option<&String>, before: &String) -> String {
    let mut fields = fields_of(Some(before));
    for (name, value) in fields_of(here) {
        let value = match fields.get(&name).filter(|_| name.contains("labels")) {
            Some(old) => {
                let words: BTreeSet<&str> = old.split(", ").chain(value.split(", ")).collect();
                words.into_iter().collect::<Vec<_>>().join(", ")
            }
            None => value,
        };
        fields.insert(name, value);
    }
    fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(BETWEEN)
}

impl Story {
    pub fn label(&mut self, nth: u8, word: &str, remove: bool) -> Outcome {
        let words = |on: bool| if on { vec![word.to_owned()] } else { vec![] };
        let change = meta::Change::Labels { add: words(!remove), remove: words(remove) };
        self.describe(nth, "labels", change, |old| {
            let mut set: BTreeSet<&str> = old.split(", ").filter(|word| !word.is_empty()).collect();
            if remove {
                set.remove(word)
            } else {
                set.insert(word)
            };
            set.into_iter().collect::<Vec<_>>().join(", ")
        })
    }

    pub fn title(&mut self, nth: u8, value: Option<u8>) -> Outcome {
        let field = "title".to_owned();
        let value = value.map(|number| format!("Title {number}"));
        let change = match &value {
            Some(text) => meta::Change::Set { field, text: text.clone(), kind: None },
            None => meta::Change::Unset { field },
        };
        self.describe(nth, "title", change, |_| value.clone().unwrap_or_default())
    }

    /// Changes one field of a file, which becomes what `after` makes of it; empty is none.
    fn describe(
        &mut self,
        nth: u8,
        field: &str,
        change: meta::Change,
        after: impl Fn(&str) -> String,
    ) -> Outcome {
        let seen = self.seen();
        let Some(name) = nth_of(&seen, nth) else { return Ok(Expected::of(self.now.clone())) };
        // What a merge has brought has labels that the branch does not know of.
        let view = self.world.view();
        let is_said = view.state().expect("a state").pending.metadata.contains_key(&path(&name));
        let brought = match self.now.head().filter(|_| self.world.put_back(&view).contains(&name)) {
            Some(head) => self.world.labels_of(head),
            None if is_said => BTreeMap::new(),
            None => self.world.merged_labels(),
        };
        let old = fields_of(self.now.labels.get(&name).or_else(|| brought.get(&name)));
        let is_field = |key: &&String| key.contains(field);
        let before = old.iter().find(|(key, _)| is_field(key)).map_or("", |(_, value)| value);
        let wanted = after(before);
        let lab = &self.world.lab;
        let report =
            meta::change(&lab.repository, &[path(&name)], &[change], &|_| true, &lab.clock, &SilentMonitor);
        report.expect("a change of metadata");
        let key = self.world.observe().labels.get(&name).cloned();
        let mut new = fields_of(key.as_ref());
        let at = new.keys().find(is_field).cloned();
        let told = at.and_then(|at| new.remove(&at)).unwrap_or_default();
        assert_eq!(told, wanted, "{field} of {name}, which had {before:?}");
        let rest: BTreeMap<_, _> = old.into_iter().filter(|(key, _)| !is_field(&key)).collect();
        assert_eq!(new, rest, "other metadata of {name}");
        let mut expected = Expected::of(self.now.clone());
        expected.moment.labels.remove(&name);
        expected.moment.labels.extend(key.map(|labels| (name, labels)));
        Ok(expected)
    }

    pub fn tag_set(&mut self, name: u8, commit: u8) -> Outcome {
        let name = TAGS[usize::from(name) % TAGS.len()];
        let id = self.world.order[usize::from(commit) % self.world.order.len()];
        let options = tag::Options::Set {
            name: name.to_owned(),
            revision: Some(id.to_string()),
            message: None,
            identity: Some(anna()),
        };
        let full = pentimento::repo::refs::RefName::tag(name).expect("a name").as_str().to_owned();
        match tag::run(&self.world.lab.repository, options, &self.world.lab.clock) {
            Err(error @ AppError::NameTaken { .. }) => {
                return refused_if(self.now.tags.contains_key(&full), error);
            }
            report => drop(report.expect("a tag")),
        }
        let mut moment = self.now.clone();
        moment.tags.insert(full, id);
        Ok(Expected::of(moment))
    }

    pub fn tag_delete(&mut self, name: u8) -> Outcome {
        let name = TAGS[usize::from(name) % TAGS.len()];
        let full = pentimento::repo::refs::RefName::tag(name).expect("a name").as_str().to_owned();
        let options = tag::Options::Delete { name: name.to_owned() };
        match tag::run(&self.world.lab.repository, options, &self.world.lab.clock) {
            Err(error @ AppError::NameUnknown { .. }) => {
                return refused_if(!self.now.tags.contains_key(&full), error);
            }
            report => drop(report.expect("a removed tag")),
        }
        let mut moment = self.now.clone();
        moment.tags.remove(&full);
        Ok(Expected::of(moment))
    }

    /// Whatever is collected, nobody can tell from outside.
    pub fn collect(&mut self, now: bool) -> Outcome {
        let options = gc::Options { grace_days: if now { 0 } else { 14 }, ..gc::Options::default() };
        let lab = &self.world.lab;
        gc::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a collection");
        Ok(Expected::of(self.now.clone()))
    }

    /// Hides a folder and takes it back: what is committed there goes and comes, the rest stays.
    pub fn hide(&mut self, nth: u8) {
        let head = self.head_files();
        let Some(folder) = nth_folder(&head, nth) else { return };
        let before = self.now.clone();
        let lab = &self.world.lab;
        let changes = lab.changes();
        let options = sparse::Options::Remove(vec![path(&folder)]);
        let report = sparse::run(&lab.repository, &options, &lab.clock, &SilentMonitor);
        let report = report.expect("a hidden folder");
        assert!(report.files.problems.is_empty(), "{:?}", report.files.problems);
        let hidden = self.world.observe();
        let still: BTreeSet<String> = report.still_here.iter().map(text).collect();
        // So does what a merge under way has brought.
        let mut kept = head.clone();
        kept.extend(self.world.merged_files());
        let is_gone = |path: &String| is_below(path, &folder) && kept.get(path) == before.files.get(path);
        let wanted: Files = before
            .files
            .iter()
            .filter(|(path, _)| !is_gone(path) || still.contains(*path))
            .map(|(path, thing)| (path.clone(), thing.clone()))
            .collect();
        assert_eq!(super::things::differing(&wanted, &hidden.files), BTreeSet::new(), "{folder} is hidden");
        // Lines tell names as they are shown to people.
        let shown = path(&folder).to_string();
        let outside = |line: &&String| !line.contains(&format!("{shown}/"));
        let seen: Vec<String> = lab.changes();
        // What moved out of the folder is new while the place that it came from is not shown, or it is what else was
        // removed and has the same bytes.
        let places: Vec<&str> = changes
            .iter()
            .filter(|change| change.starts_with("moved") && change.contains(&format!(" {shown}/")))
            .filter_map(|change| change.split(" -> ").nth(1))
            .collect();
        let is_moved_out = |line: &&String| {
            let to = line.strip_prefix("new ").or_else(|| line.split(" -> ").nth(1));
            to.is_some_and(|to| places.contains(&to))
        };
        let taken: Vec<String> = seen
            .iter()
            .filter(is_moved_out)
            .filter_map(|line| line.strip_prefix("moved ")?.split(" -> ").next())
            .map(|from| format!("removed {from}"))
            .collect();
        let was: Vec<_> = changes.iter().filter(outside).filter(|line| !taken.contains(*line)).collect();
        let is: Vec<_> = seen.iter().filter(outside).filter(|line| !is_moved_out(line)).collect();
        assert_eq!(was, is, "to hide {folder} changes nothing outside: {changes:?}, then {seen:?}");
        let gone =
            seen.iter().find(|line| line.starts_with("removed") && !outside(line) && !changes.contains(line));
        assert_eq!(gone, None, "what is hidden is not removed");
        let report =
            undo::run(&lab.repository, Direction::Undo, &lab.clock, &SilentMonitor).expect("an undo");
        let after = self.world.observe();
        let wrong = before.differences(&after);
        assert!(
            wrong.is_empty(),
            "{report:#?}, from {changes:?} over {seen:?}: {folder} was hidden and shown again: {wrong:#?}"
        );
        assert_eq!(lab.changes(), changes, "{folder} was hidden and shown again");
        self.world.learn();
        self.end_what_could_be_redone();
    }

    /// Does something that ends what could be done again, so that the story does not have to.
    fn end_what_could_be_redone(&mut self) {
        let before = self.now.clone();
        let last = self.world.last_entry().map_or(0, |entry| entry.sequence);
        let name = format!("shown-{last}");
        let options = tag::Options::Set { name, revision: None, message: None, identity: Some(anna()) };
        tag::run(&self.world.lab.repository, options, &self.world.lab.clock).expect("a tag");
        self.now.tags = self.world.observe().tags;
        self.note_deed(before, last, BTreeSet::new());
    }
}
