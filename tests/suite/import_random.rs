//! Random histories, made by stock Git, come in whole, at once or in two runs, and go back with their ids.
//!
//! `PENT_CI=long` tries many more of them.

use crate::git_support::{Git, Here, Stands, State, archived, assert_round_trip, hex};
use pentimento::base::id::CommitId;
use pentimento::base::path::AssetPath;
use pentimento::object::source::ObjectSource;
use pentimento::object::tree_walk::TreeWalk;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Plain(&'static str),
    Link,
    /// A Git LFS pointer, whose object is at hand or not.
    Pointer,
    Submodule,
}

/// One change of the files of a branch.
#[derive(Debug, Clone)]
enum Edit {
    Write { file: usize, content: u8, kind: Kind },
    Remove { file: usize },
    Rename { from: usize, to: usize },
    Mode { file: usize, executable: bool },
    Clear,
}

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Commit {
        branch: usize,
        edits: Vec<Edit>,
        message: u8,
    },
    /// A merge takes over what the others have and the branch lacks.
    Merge {
        branch: usize,
        others: Vec<usize>,
        edits: Vec<Edit>,
    },
    /// The branch begins anew where another is.
    Fork {
        branch: usize,
        from: usize,
    },
    Tag {
        branch: usize,
        annotated: bool,
    },
    Note {
        branch: usize,
    },
}

/// Some are folders of others, and one is no text.
const NAMES: [&str; 13] =
    ["a", "a/b", "a/b/c", "d", "d/e", "long-name.psd", "x y", "\"caf\\351\"", "z/z", "z/y", "0", "é", "a-b"];
const BRANCHES: usize = 4;

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let file = || 0..NAMES.len();
    let kind = prop_oneof![
        5 => Just(Kind::Plain("644")),
        2 => Just(Kind::Plain("755")),
        1 => Just(Kind::Link),
        2 => Just(Kind::Pointer),
        1 => Just(Kind::Submodule),
    ];
    let edit = prop_oneof![
        8 => (file(), 0u8..6, kind).prop_map(|(file, content, kind)| Edit::Write { file, content, kind }),
        2 => file().prop_map(|file| Edit::Remove { file }),
        4 => (file(), file()).prop_map(|(from, to)| Edit::Rename { from, to }),
        2 => (file(), any::<bool>()).prop_map(|(file, executable)| Edit::Mode { file, executable }),
        1 => Just(Edit::Clear),
    ];
    proptest::collection::vec(edit, 0..5)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let branch = || 0..BRANCHES;
    let step = prop_oneof![
        8 => (branch(), edits(), 0u8..5)
            .prop_map(|(branch, edits, message)| Step::Commit { branch, edits, message }),
        4 => (branch(), proptest::collection::vec(0..BRANCHES, 1..4), edits())
            .prop_map(|(branch, others, edits)| Step::Merge { branch, others, edits }),
        2 => (branch(), branch()).prop_map(|(branch, from)| Step::Fork { branch, from }),
        1 => (branch(), any::<bool>()).prop_map(|(branch, annotated)| Step::Tag { branch, annotated }),
        1 => branch().prop_map(|branch| Step::Note { branch }),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What stands at a path: mode and inline content, or the id of a submodule's commit.
type Files = BTreeMap<usize, (String, Vec<u8>)>;

/// A history on its way, as a stream for `git fast-import`.
struct Stream {
    out: Vec<u8>,
    files: [Files; BRANCHES],
    /// Marks of the newest commits.
    tips: [Option<usize>; BRANCHES],
    marks: usize,
    tags: usize,
}

/// Content of which Git LFS has the object; of odd ones it does not.
fn object(content: u8) -> Vec<u8> {
    format!("large content number {content}\n").repeat(40).into_bytes()
}

fn pointer(content: u8) -> Vec<u8> {
    let bytes = object(content);
    let digest = hex(&Sha256::digest(&bytes));
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {}\n", bytes.len())
        .into_bytes()
}

fn has_object(content: u8) -> bool {
    content.is_multiple_of(2)
}

/// Whether one path cannot be there beside the other.
fn collide(one: usize, other: usize) -> bool {
    let below =
        |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    one != other && (below(NAMES[one], NAMES[other]) || below(NAMES[other], NAMES[one]))
}

impl Stream {
    fn new() -> Self {
        Self { out: Vec::new(), files: Default::default(), tips: Default::default(), marks: 0, tags: 0 }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn data(&mut self, bytes: &[u8]) {
        self.text(&format!("data {}\n", bytes.len()));
        self.out.extend_from_slice(bytes);
        self.text("\n");
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Commit { branch, edits, message } => {
                let first = self.tips[*branch];
                self.commit(*branch, first, &[], *message, &[], edits);
            }
            Step::Merge { branch, others, edits } => {
                let mut others: Vec<usize> = others.iter().copied().filter(|other| other != branch).collect();
                others.sort_unstable();
                others.dedup();
                let marks: Vec<usize> = others.iter().filter_map(|other| self.tips[*other]).collect();
                // fast-import knows no merge of a branch that has no commits.
                let Some(first) = self.tips[*branch].filter(|_| !marks.is_empty()) else { return };
                self.commit(*branch, Some(first), &marks, 0, &others, edits);
            }
            Step::Fork { branch, from } => {
                self.tips[*branch] = self.tips[*from];
                self.files[*branch] = self.files[*from].clone();
                if let Some(tip) = self.tips[*branch] {
                    self.text(&format!("reset refs/heads/b{branch}\nfrom :{tip}\n\n"));
                }
            }
            Step::Tag { branch, annotated } => self.tag(*branch, *annotated),
            Step::Note { branch } => self.note(*branch),
        }
    }

    fn commit(
        &mut self,
        branch: usize,
        first: Option<usize>,
        merged: &[usize],
        message: u8,
        others: &[usize],
        edits: &[Edit],
    ) {
        self.marks += 1;
        let mark = self.marks;
        self.text(&format!("commit refs/heads/b{branch}\nmark :{mark}\n"));
        self.text(&format!("author Ä <a{branch}@b> {} +0{branch}30\n", 1_600_000_000 + mark));
        self.text("committer C <c@d> 1600000000 -0100\n");
        if message == 1 {
            self.text("encoding ISO-8859-1\n");
        }
        let words: &[u8] = match message {
            0 => b"",
            1 => b"gr\xfc\xdfe",
            2 => b"no encoding \xff\xfe\n",
            3 => b"subject\n\nbody\n\nReviewed-by: Bo <bo@example.org>\n",
            _ => b"\n\n  blanks  \n",
        };
        self.data(words);
        if let Some(first) = first {
            self.text(&format!("from :{first}\n"));
        }
        for other in merged {
            self.text(&format!("merge :{other}\n"));
        }
        for other in others {
            for (file, (mode, bytes)) in self.files[*other].clone() {
                if !self.files[branch].keys().any(|there| *there == file || collide(*there, file)) {
                    self.put(branch, file, &mode, &bytes);
                }
            }
        }
        edits.iter().for_each(|edit| self.edit(branch, edit));
        self.text("\n");
        self.tips[branch] = Some(mark);
    }

    fn put(&mut self, branch: usize, file: usize, mode: &str, bytes: &[u8]) {
        self.files[branch].retain(|there, _| !collide(*there, file));
        self.files[branch].insert(file, (mode.to_owned(), bytes.to_vec()));
        if mode == "160000" {
            self.text(&format!("M 160000 {} {}\n", String::from_utf8_lossy(bytes), NAMES[file]));
        } else {
            self.text(&format!("M {mode} inline {}\n", NAMES[file]));
            self.data(bytes);
        }
    }

    fn edit(&mut self, branch: usize, edit: &Edit) {
        match edit {
            Edit::Write { file, content, kind } => {
                let plain = format!("content {content}\n").into_bytes();
                match kind {
                    Kind::Plain(mode) => self.put(branch, *file, mode, &plain),
                    Kind::Link => self.put(branch, *file, "120000", format!("to/{content}").as_bytes()),
                    Kind::Pointer => self.put(branch, *file, "644", &pointer(*content)),
                    Kind::Submodule => {
                        let id = hex(&[*content + 1; 20]);
                        self.put(branch, *file, "160000", id.as_bytes());
                    }
                }
            }
            Edit::Remove { file } => {
                if self.files[branch].remove(file).is_some() {
                    self.text(&format!("D {}\n", NAMES[*file]));
                }
            }
            Edit::Rename { from, to } => {
                let Some(value) = self.files[branch].get(from).cloned() else { return };
                if from == to || collide(*from, *to) {
                    return;
                }
                self.files[branch].remove(from);
                self.files[branch].retain(|there, _| !collide(*there, *to));
                self.files[branch].insert(*to, value);
                self.text(&format!("R {} {}\n", quoted(*from), NAMES[*to]));
            }
            Edit::Mode { file, executable } => {
                let Some((mode, bytes)) = self.files[branch].get(file).cloned() else { return };
                if matches!(mode.as_str(), "644" | "755") {
                    self.put(branch, *file, if *executable { "755" } else { "644" }, &bytes);
                }
            }
            Edit::Clear => {
                self.files[branch].clear();
                self.text("deleteall\n");
            }
        }
    }

    fn tag(&mut self, branch: usize, annotated: bool) {
        let Some(tip) = self.tips[branch] else { return };
        self.tags += 1;
        let name = self.tags;
        if annotated {
            self.text(&format!("tag t{name}\nfrom :{tip}\ntagger T <t@u> 1600000001 +0200\n"));
            self.data(b"words\n\nof a tag\n");
        } else {
            self.text(&format!("reset refs/tags/t{name}\nfrom :{tip}\n\n"));
        }
    }

    fn note(&mut self, branch: usize) {
        let Some(tip) = self.tips[branch] else { return };
        self.text("commit refs/notes/commits\ncommitter C <c@d> 1600000000 -0100\ndata 1\nn\n");
        self.text(&format!("N inline :{tip}\n"));
        self.data(b"a note");
    }

    /// Gives what was gathered, with marks kept in a file from one run of Git to the next.
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

/// The source of a rename is quoted where it has a blank.
fn quoted(file: usize) -> String {
    if NAMES[file].contains(' ') { format!("\"{}\"", NAMES[file]) } else { NAMES[file].to_owned() }
}

fn feed(git: &Git, bytes: &[u8]) {
    let mut start =
        b"feature import-marks-if-exists=marks\nfeature export-marks=marks\nfeature force\n".to_vec();
    start.extend_from_slice(bytes);
    git.feed(&["fast-import", "--quiet", "--allow-unsafe-features"], &start);
}

/// What Git and Git LFS would check out: pointers replaced where their objects are at hand, submodules left out.
fn expected(git: &Git, commit: &str) -> State {
    let mut state = archived(git, commit);
    for stands in state.values_mut() {
        let Stands::File { bytes, executable } = &*stands else { continue };
        let Some(content) = (0..6).find(|content| pointer(*content) == *bytes) else { continue };
        *stands = if has_object(content) {
            Stands::File { bytes: object(content), executable: *executable }
        } else {
            Stands::Foreign(format!("Sha256 {}", hex(&Sha256::digest(object(content)))))
        };
    }
    state
}

fn put_objects(git_dir: &Path) {
    for content in (0..6).filter(|content| has_object(*content)) {
        let digest = hex(&Sha256::digest(object(content)));
        let folder = git_dir.join("lfs/objects").join(&digest[..2]).join(&digest[2..4]);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(digest), object(content)).expect("a file");
    }
}

/// Insists that each asset stands at one path only.
fn assert_assets_differ(here: &Here, commit: CommitId) {
    let view = here.view();
    let tree = view.commit(commit).expect("a commit").tree;
    let mut met = BTreeSet::new();
    for item in TreeWalk::new(&view, tree, AssetPath::root()) {
        let (path, entry) = item.expect("an entry");
        if let Some(asset) = entry.asset {
            assert!(met.insert(asset), "{asset} stands at {path} and elsewhere in {commit}");
        }
    }
}

fn assert_all_as_in_git(git: &Git, here: &Here) {
    let by_id = here.by_git_id();
    for id in git.commits() {
        let commit = *by_id.get(&id).unwrap_or_else(|| panic!("commit {id} was not imported"));
        let mut state = here.state(commit);
        let mut modules = String::new();
        state.retain(|name, stands| match stands {
            Stands::Foreign(what) if what.starts_with("GitCommitSha1") => {
                let _ = writeln!(modules, "{} {}", what.trim_start_matches("GitCommitSha1 "), hex(name));
                false
            }
            _ => true,
        });
        assert_eq!(modules, submodules(git, &id), "submodules of {id}");
        assert!(state == expected(git, &id), "{id}: {:?} and not {:?}", state, expected(git, &id));
        assert_assets_differ(here, commit);
    }
}

fn submodules(git: &Git, commit: &str) -> String {
    let listed = git.bytes(&["--no-replace-objects", "ls-tree", "-r", "-z", "--full-tree", commit]);
    let mut modules = BTreeMap::new();
    for line in listed.split(|byte| *byte == 0).filter(|line| line.starts_with(b"160000")) {
        let tab = line.iter().position(|byte| *byte == b'\t').expect("a name");
        let id = String::from_utf8_lossy(&line[14..tab]).into_owned();
        modules.insert(line[tab + 1..].to_vec(), id);
    }
    modules.iter().fold(String::new(), |mut text, (name, id)| {
        let _ = writeln!(text, "{id} {}", hex(name));
        text
    })
}

/// The same few histories every time; `PENT_CI=long` tells many that nobody has told before.
fn config() -> ProptestConfig {
    let is_long = std::env::var("PENT_CI").is_ok_and(|mode| mode == "long");
    let (cases, rng_seed) = if is_long { (400, RngSeed::Random) } else { (16, RngSeed::Fixed(7)) };
    ProptestConfig { cases, rng_seed, max_shrink_iters: 200, ..ProptestConfig::default() }
}

/// Imports a history at once, and in two parts, and holds both against Git.
fn tell(steps: &[Step], cut: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = Git::init(&folder.path().join("source"));
    put_objects(&git.dir.join(".git"));
    let mut stream = Stream::new();
    let (first, second) = steps.split_at(cut.min(steps.len()));
    first.iter().for_each(|step| stream.step(step));
    feed(&git, &stream.take());
    let twice = Here::new();
    let is_begun = !git.commits().is_empty();
    if is_begun {
        twice.import(&git.dir).expect("an import");
    }
    second.iter().for_each(|step| stream.step(step));
    feed(&git, &stream.take());
    if git.commits().is_empty() {
        return;
    }
    let (once, report) = Here::of(&git.dir);
    assert!(report.skipped.is_empty());
    assert_all_as_in_git(&git, &once);
    assert_round_trip(&git, &once);
    twice.import(&git.dir).expect("an import");
    let (mine, others) = (twice.by_git_id(), once.by_git_id());
    for (id, commit) in &others {
        assert_eq!(mine.get(id), Some(commit), "{id} by two runs");
    }
    let again = twice.import(&git.dir).expect("an import");
    assert_eq!(again.commits, 0);
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn random_histories_come_in_whole_and_go_back_with_their_ids(steps in steps(), cut in 0usize..40) {
        tell(&steps, cut);
    }
}

/// One asset was moved on one branch and stays on another, both are merged, and what was new there meets it again.
#[test]
fn an_asset_that_merges_bring_to_two_paths_stays_at_one() {
    let plain = |file| Edit::Write { file, content: 0, kind: Kind::Plain("644") };
    let commit = |branch, edits| Step::Commit { branch, edits, message: 0 };
    let merge = |branch, others: &[usize], edits| Step::Merge { branch, others: others.to_vec(), edits };
    let steps = [
        commit(2, vec![plain(5)]),
        Step::Fork { branch: 1, from: 2 },
        commit(0, vec![]),
        merge(0, &[1], vec![]),
        commit(0, vec![Edit::Remove { file: 5 }]),
        commit(3, vec![]),
        merge(3, &[0, 1], vec![plain(0)]),
        commit(2, vec![Edit::Rename { from: 5, to: 0 }]),
        merge(1, &[0], vec![]),
        merge(2, &[3], vec![]),
        merge(2, &[1], vec![]),
    ];
    tell(&steps, 0);
}
