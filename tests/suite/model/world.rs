//! The real side of the story: a repository, and what can be seen of it from outside.

use super::things::{Files, Thing, differing, read_folder};
use crate::app_flow::{Lab, path};
use pentimento::app::status::ChangeLine;
use pentimento::app::{meta, status};
use pentimento::base::id::{AssetId, CommitId, TreeId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::object::source::ObjectSource as _;
use pentimento::object::tree::Content;
use pentimento::object::tree_walk::TreeWalk;
use pentimento::repo::extract::Extractor;
use pentimento::repo::journal::JournalEntry;
use pentimento::repo::refs::RefKind;
use pentimento::repo::{Repository, View};
use pentimento::store::Access;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// What stands between two fields of a path.
pub const BETWEEN: &str = " | ";

/// Labels and other metadata by path, as `pent meta get` tells them.
pub type Labels = BTreeMap<String, String>;

/// Everything that a person could see at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    pub files: Files,
    /// The branch of the worktree, by its full name.
    pub branch: String,
    /// Branches and where they point.
    pub refs: BTreeMap<String, CommitId>,
    /// Tags and where they point.
    pub tags: BTreeMap<String, CommitId>,
    /// Work that waits with a branch.
    pub shelves: BTreeMap<String, Files>,
    pub labels: Labels,
    /// Paths that wait for a decision; `None` when no merge is under way.
    pub undecided: Option<Vec<String>>,
    /// What was said of the files of shelved work; the model's own note, which nobody sees.
    pub shelved_labels: BTreeMap<String, Labels>,
    /// The commit that shelved work stands on; the model's own note, too.
    pub shelf_bases: BTreeMap<String, Option<CommitId>>,
}

impl Moment {
    pub fn head(&self) -> Option<CommitId> {
        self.refs.get(&self.branch).copied()
    }

    /// Says in which ways another moment is not this one.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for path in differing(&self.files, &other.files) {
            let (wanted, found) = (self.files.get(&path), other.files.get(&path));
            lines.push(format!("{path:?}: {found:?} and not {wanted:?}"));
        }
        for name in self.shelves.keys().chain(other.shelves.keys()) {
            let (wanted, found) = (self.shelves.get(name), other.shelves.get(name));
            if wanted != found {
                lines.push(format!("shelf of {name}: {found:?} and not {wanted:?}"));
            }
        }
        let rest = |moment: &Self| {
            let Self { branch, refs, tags, labels, undecided, .. } = moment;
            format!("on {branch}, {refs:?}, tags {tags:?}, labels {labels:?}, undecided {undecided:?}")
        };
        if rest(self) != rest(other) {
            lines.push(format!("{} and not {}", rest(other), rest(self)));
        }
        lines
    }
}

/// The repository with what has been learned of it on the way.
pub struct World {
    pub lab: Lab,
    /// The files of every commit that was ever made here.
    pub commits: BTreeMap<CommitId, Files>,
    /// In the order in which they were made.
    pub order: Vec<CommitId>,
    /// Ids of content that some tree of commits, shelves or the journal has.
    pub stored: HashSet<[u8; 32]>,
    trees_known: HashSet<TreeId>,
    journal_known: u64,
}

pub fn text(path: &AssetPath) -> String {
    String::from_utf8(path.as_bytes().to_vec()).expect("a path in text")
}

impl World {
    pub fn new() -> Self {
        Self {
            lab: Lab::new(),
            commits: BTreeMap::new(),
            order: Vec::new(),
            stored: HashSet::new(),
            trees_known: HashSet::new(),
            journal_known: 0,
        }
    }

    /// Closes the repository and opens it again.
    pub fn reopen(self) -> Self {
        let Lab { folder, repository, clock } = self.lab;
        drop(repository);
        let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository that opens");
        Self { lab: Lab { folder, repository, clock }, ..self }
    }

    pub fn view(&self) -> View {
        self.lab.repository.view().expect("a view")
    }

    /// Looks at everything.
    pub fn observe(&self) -> Moment {
        let view = self.view();
        let state = view.state().expect("a state");
        assert!(state.underway.is_none(), "a command left a change of files half done");
        let (mut refs, mut tags) = (BTreeMap::new(), BTreeMap::new());
        for (name, target) in view.references().expect("references") {
            let of_kind = if name.kind() == RefKind::Branch { &mut refs } else { &mut tags };
            of_kind.insert(name.as_str().to_owned(), target.commit);
        }
        let shelves = view.shelves().expect("shelves").into_iter();
        Moment {
            files: read_folder(self.lab.folder.path()),
            branch: state.branch.as_str().to_owned(),
            refs,
            tags,
            shelves: shelves
                .map(|(name, shelf)| (name.as_str().to_owned(), self.tree_files(&view, shelf.tree)))
                .collect(),
            labels: self.labels(&view),
            shelved_labels: BTreeMap::new(),
            shelf_bases: BTreeMap::new(),
            undecided: state
                .merge
                .map(|merge| merge.conflicts.iter().map(|conflict| text(&conflict.path)).collect()),
        }
    }

    /// Labels of all paths that the commit has or that have pending ones.
    fn labels(&self, view: &View) -> Labels {
        let pending = view.state().expect("a state").pending;
        let mut paths: BTreeSet<AssetPath> = pending.metadata.keys().cloned().collect();
        paths.extend(pending.moves.keys().cloned());
        if let Some(head) = view.head().expect("a head") {
            let tree = view.commit(head).expect("a commit").tree;
            paths.extend(self.entries(view, tree).into_keys().map(|name| path(&name)));
        }
        let paths: Vec<AssetPath> = paths.into_iter().collect();
        let report = meta::get(&self.lab.repository, &paths).expect("metadata");
        let lines = report.assets.into_iter().map(|line| {
            let fields = line.fields.into_iter().map(|(name, field)| format!("{name:?}={}", field.text));
            (text(&line.path), fields.collect::<Vec<_>>().join(BETWEEN))
        });
        // What was put back by hand from where it had been moved has what is committed, which is told elsewhere.
        let home = self.put_back(view);
        lines.filter(|(name, labels)| !labels.is_empty() && !home.contains(name)).collect()
    }

    /// Old places of moves by command whose new places nothing has, of which nothing else is said.
    pub fn put_back(&self, view: &View) -> BTreeSet<String> {
        let pending = view.state().expect("a state").pending;
        let root = self.lab.folder.path();
        let stands =
            |to: &AssetPath| root.join(text(to)).symlink_metadata().is_ok_and(|found| !found.is_dir());
        let is_said = |from: &&AssetPath| {
            pending.metadata.contains_key(*from)
                || pending.moves.contains_key(*from)
                || pending.moves.iter().any(|(to, left)| left == *from && stands(to))
        };
        let ended = pending.moves.iter().filter(|(to, _)| !stands(to)).map(|(_, from)| from);
        ended.filter(|from| !is_said(from)).map(text).collect()
    }

    /// The labels that a commit's tree has.
    pub fn labels_of(&self, commit: CommitId) -> Labels {
        let view = self.view();
        self.labels_in(&view, view.commit(commit).expect("a commit").tree)
    }

    /// The labels of what a merge under way has brought.
    pub fn merged_labels(&self) -> Labels {
        let view = self.view();
        let tree = view.state().expect("a state").ground();
        tree.map(|tree| self.labels_in(&view, tree)).unwrap_or_default()
    }

    fn labels_in(&self, view: &View, tree: TreeId) -> Labels {
        let mut labels = Labels::new();
        for (name, (_, metadata)) in self.entries(view, tree) {
            if let Some(id) = metadata {
                let fields = view.metadata(id).expect("metadata").fields.into_iter();
                let fields = fields.map(|(name, value)| {
                    format!("{name:?}={}", pentimento::app::common::field_value::show(&value))
                });
                labels.insert(name, fields.collect::<Vec<_>>().join(BETWEEN));
            }
        }
        labels
    }

    /// Assets and metadata of a tree's files.
    pub fn entries(
        &self,
        view: &View,
        tree: TreeId,
    ) -> BTreeMap<String, (Option<AssetId>, Option<pentimento::base::id::MetadataId>)> {
        let walk = TreeWalk::new(view, tree, AssetPath::root()).map(|item| item.expect("an entry"));
        walk.filter(|(_, entry)| !entry.content.is_directory())
            .map(|(path, entry)| (text(&path), (entry.asset, entry.metadata)))
            .collect()
    }

    /// Reads all files of a tree back.
    pub fn tree_files(&self, view: &View, tree: TreeId) -> Files {
        read_tree(&self.lab.repository, view, tree)
    }

    /// The files of a commit as the repository has them.
    pub fn read_commit(&self, id: CommitId) -> Files {
        let view = self.view();
        let tree = view.commit(id).expect("a commit").tree;
        let entries = self.entries(&view, tree);
        let assets: Vec<AssetId> = entries.values().map(|(asset, _)| asset.expect("an asset")).collect();
        let distinct: BTreeSet<AssetId> = assets.iter().copied().collect();
        assert_eq!(distinct.len(), assets.len(), "one asset stands at two paths: {entries:?}");
        self.tree_files(&view, tree)
    }

    /// What a merge under way has made of both sides.
    pub fn merged_files(&self) -> Files {
        let view = self.view();
        let tree = view.state().expect("a state").ground();
        tree.map(|tree| self.tree_files(&view, tree)).unwrap_or_default()
    }

    /// What was moved by command and is not committed yet: rules leave nothing of it out.
    pub fn moved_files(&self, files: &Files) -> Files {
        let moves = self.view().state().expect("a state").pending.moves;
        let there = moves.keys().filter_map(|to| files.get_key_value(&text(to)));
        there.map(|(name, thing)| (name.clone(), thing.clone())).collect()
    }

    /// Checks that what `pent status` says is the difference between the commit and the files.
    pub fn check_status(&self, moment: &Moment) {
        let empty = Files::new();
        let head = moment.head().map_or(&empty, |id| &self.commits[&id]);
        let mut tracked = head.clone();
        tracked.extend(self.merged_files());
        tracked.extend(self.moved_files(&moment.files));
        let seen = visible(&moment.files, &tracked);
        let report =
            status::run(&self.lab.repository, &status::Options::default(), &SilentMonitor).expect("a status");
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let mut told = BTreeSet::new();
        let left: BTreeSet<String> =
            report.changes.iter().filter_map(|line| line.from.as_ref().map(text)).collect();
        // While a merge waits, assets are compared: one may have been moved to where another was removed.
        let moved = report.changes.iter().filter(|line| line.from.is_some()).map(|line| &line.path);
        let moved: BTreeSet<&AssetPath> = moved.filter(|_| moment.undecided.is_some()).collect();
        let is_replaced = |line: &&ChangeLine| line.what == "removed" && moved.contains(&line.path);
        let replaced: BTreeSet<&AssetPath> =
            report.changes.iter().filter(is_replaced).map(|line| &line.path).collect();
        let lines = report.changes.iter().filter(|line| line.what != "metadata");
        for line in lines.filter(|line| !is_replaced(line)) {
            let at = text(&line.path);
            let from = line.from.as_ref().map(text);
            if line.what == "moved" {
                let from = from.as_ref().expect("a place before");
                assert_eq!(seen[&at].bytes(), head[from].bytes(), "{from} -> {at} was edited too");
            }
            // Something new may stand where an asset went away from.
            let was_there = head.contains_key(&at) && !left.contains(&at) && !replaced.contains(&line.path);
            let shape = (was_there, seen.contains_key(&at));
            let wanted = match line.what {
                "new" | "moved" | "moved-and-changed" => (false, true),
                "removed" => (true, false),
                _ => (true, true),
            };
            let lines = || crate::app_flow::lines(&report.changes);
            assert_eq!(shape, wanted, "{} {at} {:?}", line.what, lines());
            assert!(told.insert(at.clone()), "{at} is told twice");
        }
        // What stands where an asset went away from is another one, even with the same bytes.
        let taken: BTreeSet<String> = left.iter().filter(|at| seen.contains_key(*at)).cloned().collect();
        assert!(taken.is_subset(&told), "{taken:?} are new");
        told.extend(left);
        let mut wanted: BTreeSet<String> = differing(head, &seen).union(&taken).cloned().collect();
        // An asset may have come to where another one with the same bytes was.
        wanted.extend(replaced.iter().map(|path| text(path)));
        assert_eq!(told, wanted, "status {:#?}", crate::app_flow::lines(&report.changes));
        let described = report.changes.iter().filter(|line| line.what == "metadata");
        let described: BTreeSet<String> = described.map(|line| text(&line.path)).collect();
        let committed = moment.head().map(|id| self.labels_of(id)).unwrap_or_default();
        // Another asset may have been moved to where one with the same bytes was: that is told as metadata.
        let moves = self.view().state().expect("a state").pending.moves;
        let home = self.put_back(&self.view());
        let is_replaced = |name: &String| moves.contains_key(&path(name)) || home.contains(name);
        for name in head.keys().filter(|name| !told.contains(*name) && !is_replaced(name)) {
            let differs = committed.get(name) != moment.labels.get(name);
            assert_eq!(described.contains(name), differs, "metadata of {name}");
        }
    }

    /// Ids of everything that stands aside.
    pub fn set_aside(&self) -> HashSet<[u8; 32]> {
        let folder = self.lab.repository.pent_dir().join("displaced");
        if !folder.is_dir() {
            return HashSet::new();
        }
        let mut files = read_folder(&folder);
        // The list goes with the last thing that it lists.
        files.retain(|path, _| path.rsplit('/').next() != Some("manifest"));
        ids(&files)
    }

    /// Learns of all trees that commits, shelves and journal name.
    pub fn learn(&mut self) {
        let view = self.view();
        let mut trees = Vec::new();
        for entry in view.journal().expect("a journal") {
            if entry.sequence <= self.journal_known {
                continue;
            }
            self.journal_known = entry.sequence;
            trees.extend(entry.files.iter().flat_map(|files| [files.before, files.after]));
            let moved = entry.refs.iter().flat_map(|moved| [moved.before, moved.after]).flatten();
            trees.extend(moved.map(|id| view.commit(id).expect("a commit").tree));
            let content = entry.state.iter().flat_map(|changed| changed.named_content());
            self.stored.extend(content.filter_map(|content| content.file_id()).map(|id| *id.as_bytes()));
        }
        trees.extend(view.shelves().expect("shelves").iter().map(|(_, shelf)| shelf.tree));
        for tree in trees {
            if self.trees_known.insert(tree) {
                let walk = TreeWalk::new(&view, tree, AssetPath::root()).map(|item| item.expect("an entry"));
                self.stored.extend(walk.filter_map(|(_, entry)| Some(*entry.content.file_id()?.as_bytes())));
            }
        }
    }

    pub fn last_entry(&self) -> Option<JournalEntry> {
        self.view().journal().expect("a journal").pop()
    }
}

/// Reads all files of a tree back.
pub fn read_tree(repository: &Repository, view: &View, tree: TreeId) -> Files {
    let reader = repository.store().chunk_reader().expect("a reader");
    let extractor = Extractor::new(&reader, view, &SilentMonitor);
    let read = |id, size| {
        let mut bytes = Vec::new();
        extractor.write_file(id, size, &mut bytes).expect("readable content");
        bytes
    };
    let walk = TreeWalk::new(view, tree, AssetPath::root()).map(|item| item.expect("an entry"));
    walk.filter_map(|(path, entry)| {
        let thing = match entry.content {
            Content::File { id, size, executable } => {
                Thing::File { bytes: Arc::new(read(id, size)), executable }
            }
            Content::Symlink { id, size } => Thing::Link(read(id, size)),
            Content::Directory { .. } | Content::Foreign { .. } => return None,
        };
        Some((text(&path), thing))
    })
    .collect()
}

/// Ids of all content.
pub fn ids(files: &Files) -> HashSet<[u8; 32]> {
    files.values().map(Thing::id).collect()
}

/// What of the files the program looks at: not the ignored, unless they are committed or were moved there.
pub fn visible(files: &Files, head: &Files) -> Files {
    let has_rules = files.contains_key(".pentignore");
    let is_left_out = |name: &str| name.split('/').any(|part| part.ends_with(".tmp"));
    let is_seen = |name: &String| !has_rules || !is_left_out(name) || head.contains_key(name);
    files
        .iter()
        .filter(|(name, _)| is_seen(name))
        .map(|(name, thing)| (name.clone(), thing.clone()))
        .collect()
}
