//! History back to Git: a bare repository with one pack, written from the oldest commit to the newest.
//!
//! A commit that came from Git and still has the same tree and parents is written byte for byte as it
//! was, so it has the same id there; whether it has is not believed but found out, by making its tree
//! again. Any other commit is written anew, always in the same way.

mod after;
mod ahead;
mod ground;
mod index;
mod large;
mod pack;
mod place;
mod rule;
mod trees;

pub(super) use ground::Bases;
pub use ground::Ground;
pub use rule::LfsRule;

use crate::base::id::{CommitId, FileId, GitId, TreeId};
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::import::error::{ImportError, io};
use crate::import::git::objects::{Kind, hash};
use crate::import::git::parse;
use crate::import::git::run::{Category, category, on_deep_stacks};
use crate::import::recent::Recent;
use crate::object::commit::{Commit, Signature};
use crate::object::source::ObjectSource;
use crate::repo::extract::Extractor;
use crate::repo::imports::{Scope, git_commit_of};
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::repo::{Repository, View};
use after::Base;
use pack::PackSpool;
use place::Place;
use rule::Matcher;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use trees::Origin;

/// Trees whose Git ids are kept at hand.
const TREES_KEPT: usize = 200_000;
/// Longest chain of tags that name tags.
const TAG_CHAIN_MAX: usize = 16;

/// What to export.
#[derive(Debug, Clone, Default)]
pub struct ExportWish {
    /// Names of branches and tags, with `*` for any part; everything when empty.
    pub names: Vec<String>,
    /// Which files become Git LFS pointers beside those that were.
    pub lfs: LfsRule,
}

/// What was exported.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Exported {
    /// Commits written.
    pub commits: u64,
    /// Of these, those that have the id that they had in Git.
    pub commits_same: u64,
    /// Of these, those that came from Git and have another id now.
    pub commits_changed: u64,
    /// Names written, with the ids that they have.
    pub names: BTreeMap<String, String>,
    /// Objects in the pack.
    pub objects: u64,
    /// Distinct files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files in the folder of Git LFS.
    pub lfs_files: u64,
    /// Their bytes.
    pub lfs_bytes: u64,
    /// Blobs that the import missed and that the new repository lacks, too.
    pub missing_blobs: u64,
    /// Git LFS content that is not at hand; its pointers are there.
    pub missing_lfs: u64,
    /// Names that were not written, each with the reason.
    pub left_out: Vec<LeftOut>,
}

/// A name that was not written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct LeftOut {
    /// Its full name in Git, percent-encoded.
    pub name: String,
    /// Why, as a sentence without its full stop.
    pub reason: &'static str,
}

/// The state of an export.
struct Exporter<'a> {
    view: &'a View,
    extractor: Extractor<'a>,
    monitor: &'a dyn Monitor,
    git_dir: PathBuf,
    lfs: Matcher,
    pack: PackSpool,
    trees: Recent<(TreeId, Origin, AssetPath), GitId>,
    blobs: HashMap<FileId, GitId>,
    lfs_objects: HashMap<FileId, [u8; 32]>,
    lfs_waiting: large::Waiting,
    /// Whether nobody is to check files out of what is made, so that Git LFS content is not needed.
    is_ground: bool,
    missing: HashSet<GitId>,
    missing_lfs: HashSet<[u8; 32]>,
    /// What erased files were called in Git; found when it is asked for.
    erased: Option<HashMap<FileId, GitId>>,
    commits: HashMap<CommitId, Written>,
    /// Commits whose parents the source lacked.
    shallow: Vec<GitId>,
    report: Exported,
}

/// A commit that was written.
#[derive(Debug, Clone, Copy)]
struct Written {
    git: GitId,
    /// Its tree here, and there.
    tree: Base,
}

fn hash_of(kind: Kind, bytes: &[u8]) -> Result<GitId, ImportError> {
    hash(kind, bytes).ok_or_else(|| unhashed(bytes.len() as u64))
}

/// The hash function refuses bytes that were made to have the hash of others.
fn unhashed(size: u64) -> ImportError {
    ImportError::Argument {
        text: format!("an object of {size} bytes"),
        reason: "it was made to be taken for another by its SHA-1, so Git cannot hold it".to_owned(),
    }
}

/// Exports into `target`, which becomes a bare repository: a folder that is not there, empty, or an earlier
/// export of this repository that nobody has changed. It is there as a whole or not at all.
pub fn export(
    repository: &Repository,
    target: &Path,
    wish: &ExportWish,
    monitor: &dyn Monitor,
) -> Result<Exported, ImportError> {
    let place = Place::begin(target, repository.id())?;
    let exported = on_deep_stacks(|| export_here(repository, place.draft(), wish, monitor))?;
    place.finish()?;
    Ok(exported)
}

fn export_here(
    repository: &Repository,
    target: &Path,
    wish: &ExportWish,
    monitor: &dyn Monitor,
) -> Result<Exported, ImportError> {
    let view = repository.view()?;
    let names = chosen(&view, wish)?;
    create(target)?;
    let reader = repository.store().chunk_reader()?;
    let extractor = Extractor::new(&reader, &view, monitor);
    let pack = PackSpool::begin(&target.join("objects/pack"))?;
    let mut exporter = Exporter::new(&view, extractor, monitor, target, &wish.lfs, pack);
    let names = exporter.leave_out_unfit(names);
    let tips: Vec<CommitId> = names.iter().filter_map(|name| Some(name.target.as_ref()?.commit)).collect();
    let order = exporter.order(&tips)?;
    monitor.phase(Phase { name: "Exporting", files_total: None, bytes_total: None });
    for (done, id) in order.iter().enumerate() {
        monitor.commits(done as u64, order.len() as u64);
        exporter.commit(*id)?;
    }
    exporter.write_waiting()?;
    let refs = exporter.refs(&names)?;
    exporter.finish(&view, &refs)
}

/// Makes an empty bare repository.
fn create(target: &Path) -> Result<(), ImportError> {
    gix::ThreadSafeRepository::init_opts(
        target,
        gix::create::Kind::Bare,
        gix::create::Options { destination_must_be_empty: Some(true), ..Default::default() },
        gix::open::Options::isolated(),
    )
    .map_err(|source| ImportError::Open { path: target.to_owned(), source: source.into() })?;
    Ok(())
}

/// A name that is exported.
struct Chosen {
    /// Its full name in Git.
    git_name: Vec<u8>,
    /// The commit here, with what was said of it; `None` for what names no commit.
    target: Option<RefTarget>,
    /// The object that it named in Git, while it names the same commit here.
    original: Option<GitId>,
}

/// The names that a wish asks for, with what they were called in Git.
fn chosen(view: &View, wish: &ExportWish) -> Result<Vec<Chosen>, ImportError> {
    let records: HashMap<Vec<u8>, _> = view.git_references(Scope::default())?.into_iter().collect();
    // A clone has the tags themselves, and no record of where names pointed.
    let tags = view.git_tags_by_name()?;
    let mode = gix::glob::wildmatch::Mode::empty();
    let fits = |name: &str| {
        let mut patterns = wish.names.iter();
        wish.names.is_empty()
            || patterns.any(|text| gix::glob::wildmatch(text.as_bytes().into(), name.as_bytes().into(), mode))
    };
    let mut all = Vec::new();
    for (name, target) in view.references()? {
        // Where the branches of remotes were is for this clone alone.
        if name.kind() == RefKind::Remote || !fits(name.name()) {
            continue;
        }
        let git_name = git_name(&name, &|full| records.contains_key(full));
        let record = records.get(&git_name).filter(|record| record.commit == Some(target.commit));
        let original = record.map(|record| record.git).or_else(|| tags.get(&git_name).copied());
        all.push(Chosen { git_name, target: Some(target), original });
    }
    if wish.names.is_empty() {
        for (git_name, record) in view.kept_git_references()? {
            let target = record.commit.map(RefTarget::plain);
            all.push(Chosen { git_name, target, original: Some(record.git) });
        }
    }
    if all.is_empty() { Err(ImportError::NothingToImport { patterns: wish.names.clone() }) } else { Ok(all) }
}

/// The full name in Git of a branch or tag here.
fn git_name(name: &RefName, is_record: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
    let full = |prefix: &str| format!("{prefix}{}", name.name()).into_bytes();
    match name.kind() {
        RefKind::Tag => full("refs/tags/"),
        RefKind::Branch | RefKind::Remote => {
            let remote = full("refs/remotes/");
            let branch = full("refs/heads/");
            if !is_record(&branch) && is_record(&remote) { remote } else { branch }
        }
    }
}

impl<'a> Exporter<'a> {
    fn new(
        view: &'a View,
        extractor: Extractor<'a>,
        monitor: &'a dyn Monitor,
        git_dir: &Path,
        lfs: &LfsRule,
        pack: PackSpool,
    ) -> Self {
        Self {
            view,
            extractor,
            monitor,
            git_dir: git_dir.to_owned(),
            lfs: Matcher::new(lfs),
            pack,
            trees: Recent::new(TREES_KEPT),
            blobs: HashMap::new(),
            lfs_objects: HashMap::new(),
            lfs_waiting: large::Waiting::default(),
            is_ground: false,
            missing: HashSet::new(),
            missing_lfs: HashSet::new(),
            erased: None,
            commits: HashMap::new(),
            shallow: Vec::new(),
            report: Exported::default(),
        }
    }
}

impl Exporter<'_> {
    fn check_cancelled(&self) -> Result<(), ImportError> {
        if self.monitor.is_cancelled() { Err(ImportError::Cancelled) } else { Ok(()) }
    }

    /// All commits that the tips reach, parents first.
    fn order(&self, tips: &[CommitId]) -> Result<Vec<CommitId>, ImportError> {
        self.monitor.phase(Phase { name: "Reading history", files_total: None, bytes_total: None });
        let (mut order, mut met) = (Vec::new(), HashSet::new());
        for tip in tips {
            let mut open: Vec<(CommitId, Vec<CommitId>, usize)> = Vec::new();
            if met.insert(*tip) {
                open.push((*tip, self.view.commit(*tip)?.parents, 0));
            }
            while let Some((id, parents, next)) = open.last_mut() {
                match parents.get(*next).copied() {
                    Some(parent) => {
                        *next += 1;
                        if met.insert(parent) {
                            self.check_cancelled()?;
                            open.push((parent, self.view.commit(parent)?.parents, 0));
                        }
                    }
                    None => {
                        order.push(*id);
                        open.pop();
                    }
                }
            }
        }
        Ok(order)
    }

    /// Writes one commit; its parents must have been written.
    fn commit(&mut self, id: CommitId) -> Result<(), ImportError> {
        let commit = self.view.commit(id)?;
        let before: Vec<Written> =
            commit.parents.iter().filter_map(|parent| self.commits.get(parent)).copied().collect();
        let parents: Vec<GitId> = before.iter().map(|parent| parent.git).collect();
        let original = self.original(id, &commit)?;
        let (expected, links) = match &original {
            Some(bytes) => parse::commit_links(bytes),
            None => (None, Vec::new()),
        };
        self.read_ahead(&commit, before.first(), original.is_none())?;
        let tree = match expected {
            Some(expected) => self.tree(&AssetPath::root(), commit.tree, Origin::Was(expected))?,
            // Where more files go into Git LFS, every commit is made by the same rule.
            None if self.lfs.is_empty() && !before.is_empty() => {
                let bases: Vec<Base> = before.iter().map(|parent| parent.tree).collect();
                self.tree_after(&AssetPath::root(), commit.tree, &bases)?
            }
            None => self.tree(&AssetPath::root(), commit.tree, Origin::None)?,
        };
        let is_same = original.is_some() && expected == Some(tree) && fits(&parents, &links);
        let git = if let (true, Some(bytes)) = (is_same, &original) {
            let git = self.pack.put(Kind::Commit, bytes)?;
            if links.len() != parents.len() {
                self.shallow.push(git);
            }
            self.report.commits_same += 1;
            git
        } else if let Some(bytes) = original {
            self.report.commits_changed += 1;
            self.pack.put(Kind::Commit, &rewritten(&bytes, tree, &parents))?
        } else {
            let bytes = self.native(&commit, tree, &parents)?;
            self.pack.put(Kind::Commit, &bytes)?
        };
        self.commits.insert(id, Written { git, tree: Base { tree: commit.tree, git: tree } });
        self.report.commits += 1;
        Ok(())
    }

    /// The Git commit that a commit was made from, if it is here and is the one that it says.
    fn original(&self, id: CommitId, commit: &Commit) -> Result<Option<Vec<u8>>, ImportError> {
        let Some(git) = git_commit_of(commit) else { return Ok(None) };
        let Some(bytes) = self.view.git_original(id)? else { return Ok(None) };
        Ok((hash_of(Kind::Commit, &bytes)? == git).then_some(bytes))
    }

    /// A commit that Git has never seen.
    fn native(&self, commit: &Commit, tree: GitId, parents: &[GitId]) -> Result<Vec<u8>, ImportError> {
        let mut text = format!("tree {tree}\n");
        for parent in parents {
            text.push_str(&format!("parent {parent}\n"));
        }
        text.push_str(&format!("author {}\n", self.actor(&commit.author)?));
        text.push_str(&format!("committer {}\n\n", self.actor(&commit.committer)?));
        text.push_str(&commit.message.replace('\0', "\u{fffd}"));
        text.push('\n');
        Ok(text.into_bytes())
    }

    fn actor(&self, signature: &Signature) -> Result<String, ImportError> {
        let person = self.view.person(signature.person)?;
        let (name, email) = match person {
            Some(person) => (person.name, person.email),
            None => (format!("person {}", signature.person), String::new()),
        };
        let plain = |text: String| text.replace(['<', '>', '\n', '\0'], " ").trim().to_owned();
        Ok(format!("{} <{}> {}", plain(name), plain(email), git_time(signature.time)))
    }

    /// Takes out the names that would say something else in the new repository.
    fn leave_out_unfit(&mut self, names: Vec<Chosen>) -> Vec<Chosen> {
        if self.lfs.is_empty() {
            return names;
        }
        let (kept, fit) = names.into_iter().partition(|name| category(&name.git_name).0 == Category::Kept);
        for name in kept {
            let reason = "it speaks of commits by their ids, which change where more files go into Git LFS";
            self.leave_out(&name, reason);
        }
        fit
    }

    fn leave_out(&mut self, name: &Chosen, reason: &'static str) {
        let name = crate::base::escape::percent_encode(&name.git_name);
        self.report.left_out.push(LeftOut { name, reason });
    }

    /// Writes what names need - annotated tags, blobs - and says what each names.
    fn refs(&mut self, names: &[Chosen]) -> Result<BTreeMap<Vec<u8>, (GitId, GitId)>, ImportError> {
        let mut refs = BTreeMap::new();
        for name in names {
            let commit = name.target.as_ref().and_then(|target| self.commits.get(&target.commit));
            let commit = commit.map(|written| written.git);
            let original = match name.original {
                Some(original) => self.originals(original, commit)?.map(|end| (original, end)),
                None => None,
            };
            match (original, commit) {
                (Some((object, end)), _) => drop(refs.insert(name.git_name.clone(), (object, end))),
                (None, Some(commit)) => {
                    let object = self.tag(name, commit)?;
                    refs.insert(name.git_name.clone(), (object, commit));
                }
                (None, None) => {
                    self.leave_out(name, "it names a tree or a large blob, which an import does not keep");
                }
            }
        }
        Ok(refs)
    }

    /// Writes the originals that lead from an object to a commit, or to a blob that was kept because a
    /// name stands for it; says where they lead, or nothing when one of them is not here.
    fn originals(&mut self, object: GitId, commit: Option<GitId>) -> Result<Option<GitId>, ImportError> {
        let (mut next, mut chain) = (object, Vec::<(Kind, Vec<u8>)>::new());
        for _ in 0..=TAG_CHAIN_MAX {
            let mut is_end = commit == Some(next);
            if !is_end {
                let Some(bytes) = self.view.git_object(next)? else { return Ok(None) };
                let is_tag = hash_of(Kind::Tag, &bytes)? == next;
                match parse::tag(&bytes).filter(|_| is_tag) {
                    Some(tag) => {
                        chain.push((Kind::Tag, bytes));
                        next = tag.target;
                    }
                    None if hash_of(Kind::Blob, &bytes)? == next => {
                        chain.push((Kind::Blob, bytes));
                        is_end = true;
                    }
                    None => return Ok(None),
                }
            }
            if is_end {
                for (kind, bytes) in chain {
                    self.pack.put(kind, &bytes)?;
                }
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// Writes a tag with words as an object of its own.
    fn tag(&mut self, name: &Chosen, commit: GitId) -> Result<GitId, ImportError> {
        let annotation = name.target.as_ref().and_then(|target| target.annotation.as_ref());
        let Some(annotation) = annotation else { return Ok(commit) };
        let short = String::from_utf8_lossy(category(&name.git_name).1).into_owned();
        let tagger = self.actor(&annotation.signature)?;
        let message = annotation.message.replace('\0', "\u{fffd}");
        let text = format!("object {commit}\ntype commit\ntag {short}\ntagger {tagger}\n\n{message}\n");
        self.pack.put(Kind::Tag, text.as_bytes())
    }

    /// Indexes the pack, then writes the names, last.
    fn finish(
        mut self,
        view: &View,
        refs: &BTreeMap<Vec<u8>, (GitId, GitId)>,
    ) -> Result<Exported, ImportError> {
        self.monitor.phase(Phase { name: "Indexing", files_total: None, bytes_total: None });
        self.report.objects = self.pack.count() as u64;
        self.pack.finish()?;
        let write = |name: &str, bytes: &[u8]| {
            let path = self.git_dir.join(name);
            fs::write(&path, bytes).map_err(io("writing", &path))
        };
        if !self.shallow.is_empty() {
            self.shallow.sort_unstable();
            let lines: String = self.shallow.iter().map(|id| format!("{id}\n")).collect();
            write("shallow", lines.as_bytes())?;
        }
        let mut packed = b"# pack-refs with: peeled fully-peeled sorted \n".to_vec();
        for (name, (object, end)) in refs {
            packed.extend_from_slice(format!("{object} ").as_bytes());
            packed.extend_from_slice(name);
            packed.push(b'\n');
            if object != end {
                packed.extend_from_slice(format!("^{end}\n").as_bytes());
            }
        }
        write("packed-refs", &packed)?;
        write("HEAD", &head(view, refs)?)?;
        let shown = |name: &[u8]| crate::base::escape::percent_encode(name);
        self.report.left_out.sort();
        self.report.names = refs.iter().map(|(name, (id, _))| (shown(name), id.to_string())).collect();
        Ok(self.report)
    }
}

/// What HEAD says: the branch that the worktree is on, else the first.
fn head(view: &View, refs: &BTreeMap<Vec<u8>, (GitId, GitId)>) -> Result<Vec<u8>, ImportError> {
    let present = format!("refs/heads/{}", view.state()?.branch.name()).into_bytes();
    let branch = |name: &&Vec<u8>| category(name).0 == Category::Branch;
    let name = refs.contains_key(&present).then_some(&present).or_else(|| refs.keys().find(branch));
    let name = name.map_or(b"refs/heads/main".as_slice(), Vec::as_slice);
    Ok([b"ref: ", name, b"\n"].concat())
}

/// Whether the parents that are here are those of the original, those left out by a shallow clone aside.
fn fits(parents: &[GitId], original: &[GitId]) -> bool {
    let mut original = original.iter();
    parents.iter().all(|parent| original.any(|other| other == parent))
}

/// A commit of Git with another tree or other parents; what signed the old one no longer holds.
fn rewritten(original: &[u8], tree: GitId, parents: &[GitId]) -> Vec<u8> {
    let mut bytes = format!("tree {tree}\n").into_bytes();
    for parent in parents {
        bytes.extend_from_slice(format!("parent {parent}\n").as_bytes());
    }
    let end = original.windows(2).position(|pair| pair == b"\n\n").map_or(original.len(), |at| at + 1);
    let (headers, rest) = original.split_at(end);
    let mut dropping = false;
    for line in headers.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b" ") {
            let dropped = [&b"tree "[..], b"parent ", b"gpgsig ", b"gpgsig-sha256 ", b"mergetag "];
            dropping = dropped.iter().any(|key| line.starts_with(key));
        }
        if !dropping {
            bytes.extend_from_slice(line);
        }
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// Seconds and zone as Git writes them.
fn git_time(time: Timestamp) -> String {
    let sign = if time.offset_minutes < 0 { '-' } else { '+' };
    let minutes = time.offset_minutes.unsigned_abs();
    format!("{} {sign}{:02}{:02}", time.unix_seconds().max(0), minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewritten_commit_loses_what_signed_it_and_nothing_else() {
        let (tree, parent) = (GitId::from_bytes([1; 20]), GitId::from_bytes([2; 20]));
        let original = b"tree 00\nparent 11\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\
            encoding x\ngpgsig -----BEGIN\n more\n -----END\nextra y\n\nsubject\n\ngpgsig in text\n";
        let bytes = rewritten(original, tree, &[parent]);
        let text = String::from_utf8(bytes).expect("text");
        assert_eq!(
            text,
            format!(
                "tree {tree}\nparent {parent}\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\
                 encoding x\nextra y\n\nsubject\n\ngpgsig in text\n"
            )
        );
    }

    #[test]
    fn times_are_written_as_git_writes_them() {
        let time = |unix_ms, offset_minutes| git_time(Timestamp { unix_ms, offset_minutes });
        assert_eq!(time(1_700_000_000_999, -150), "1700000000 -0230");
        assert_eq!(time(-5, 0), "0 +0000");
    }

    #[test]
    fn parents_fit_when_only_those_are_missing_that_a_shallow_clone_left_out() {
        let id = |byte| GitId::from_bytes([byte; 20]);
        assert!(fits(&[id(2)], &[id(1), id(2)]));
        assert!(!fits(&[id(2), id(1)], &[id(1), id(2)]));
    }
}
