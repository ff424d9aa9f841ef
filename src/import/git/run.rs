//! An import from beginning to end: chooses names, orders commits, reads them in batches on all
//! cores, makes them one by one, and publishes each batch as a whole.
//!
//! ```text
//! names -> commits, parents first -> batches: trees compared | blobs taken in | commits made -> published
//! ```

use crate::base::id::{CommitId, GitId};
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::import::erased::Erased;
use crate::import::error::ImportError;
use crate::import::git::blobs::{Blobs, MissingContent, Wanted};
use crate::import::git::build::{Builder, ReadCommit, imported};
use crate::import::git::changes::{Before, Skipped, changes};
use crate::import::git::formed::Formed;
use crate::import::git::narrow;
use crate::import::git::objects::{Kind, Objects, Reader};
use crate::import::git::order::{Earlier, Planned, order};
use crate::import::git::parse::{self, EntryKind, GitTag};
use crate::import::git::rebuild::rebuild;
use crate::import::git::source::{Source, SourceRef};
use crate::object::commit::Commit;
use crate::repo::imports::{Scope, UNFINISHED_KEY, key};
use crate::repo::ingest::Ingester;
use crate::repo::{RepoError, Repository, View};
use crate::store::{ChunkWriter, Space};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

/// Commits of the first batch; the next follow from how much the last had to do.
const BATCH_COMMITS_MIN: usize = 16;
const BATCH_COMMITS_MAX: usize = 2_048;
/// Changed files that a batch should have.
const BATCH_CHANGES: usize = 30_000;
/// Entries of trees, and bytes of originals, that a batch may hold in memory before what is there is made.
const BATCH_ENTRIES: usize = 500_000;
const BATCH_ORIGINAL_BYTES: usize = 16 << 20;
/// Commits that are read side by side before it is asked how much that was.
const READ_AT_ONCE: usize = 32;
/// Entries that are left out and told.
const SKIPPED_MAX: usize = 100_000;
/// Stack of the threads that compare trees, in bytes; only what is used takes memory.
const STACK_BYTES: usize = 32 << 20;
/// Longest chain of tags that name tags.
const TAG_CHAIN_MAX: usize = 16;
/// Longest blob that is kept because a name stands for it, or an entry that has no place here, in bytes.
pub(super) const NAMED_BLOB_BYTES_MAX: u64 = 1 << 20;

/// What to import.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Names of branches and tags, with `*` for any part; everything when empty.
    pub names: Vec<String>,
    /// Whether branches that the source only remembers of others come along.
    pub remotes: bool,
    /// Only these files and folders; everything when empty.
    pub paths: Vec<AssetPath>,
}

/// A name that was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRef {
    /// The full name in Git.
    pub name: Vec<u8>,
    /// What it names there.
    pub git: GitId,
    /// The commit here; `None` when it names no commit.
    pub commit: Option<CommitId>,
    /// The text of an annotated tag.
    pub tag: Option<GitTag>,
    /// Whether all that it names is here, so that it can go back.
    pub whole: bool,
}

/// What an import did.
#[derive(Debug, Default)]
pub struct Imported {
    /// The names, sorted.
    pub refs: Vec<ImportedRef>,
    /// Commits made.
    pub commits: u64,
    /// Blobs taken in and their bytes, LFS content counted as content; the part of LFS; the new part.
    pub blobs: u64,
    pub bytes: u64,
    pub lfs_bytes: u64,
    pub new_bytes: u64,
    /// Bytes by which the packs grew.
    pub stored_bytes: u64,
    /// Parents that a shallow clone left out and that no earlier import brought.
    pub absent_parents: u64,
    /// Whether history that an earlier import found cut off is whole now, so that commits were made anew.
    pub regrown: bool,
    /// Content that was not at hand in this import.
    pub missing: Vec<MissingContent>,
    /// Content that earlier imports missed and that was found now.
    pub tied: u64,
    /// Content that earlier imports missed and that this one did not find either.
    pub still_missing: Vec<MissingContent>,
    /// Entries that were left out.
    pub skipped: Vec<Skipped>,
}

/// Which commits the paths of a wish tell apart.
pub fn scope_of(wish: &Wish) -> Scope {
    let paths: Vec<Vec<u8>> = wish.paths.iter().map(|path| path.as_bytes().to_vec()).collect();
    Scope::of(&paths)
}

/// Imports everything that the wish names and that is not here yet. Names are not moved.
pub fn run(
    repository: &Repository,
    source: &Source,
    wish: &Wish,
    monitor: &dyn Monitor,
) -> Result<Imported, ImportError> {
    on_deep_stacks(|| import(repository, source, wish, monitor))
}

/// Works on threads with stacks for the deepest folders that there may be.
pub(crate) fn on_deep_stacks<R: Send>(
    work: impl FnOnce() -> Result<R, ImportError> + Send,
) -> Result<R, ImportError> {
    let pool = rayon::ThreadPoolBuilder::new().stack_size(STACK_BYTES).build();
    let reason = |error: rayon::ThreadPoolBuildError| ImportError::Argument {
        text: "threads".to_owned(),
        reason: error.to_string(),
    };
    pool.map_err(reason)?.install(work)
}

fn import(
    repository: &Repository,
    source: &Source,
    wish: &Wish,
    monitor: &dyn Monitor,
) -> Result<Imported, ImportError> {
    let chosen = choose(&source.refs, wish)?;
    let refs = peel(&source.objects, &chosen)?;
    let writer = repository.store().chunk_writer(monitor)?;
    let scope = scope_of(wish);
    rebuild(repository, &writer, scope, monitor)?;
    let tips: Vec<GitId> = refs.iter().filter_map(|peeled| peeled.commit).collect();
    let view = repository.view()?;
    let healed = healed(&view, source, scope)?;
    let earlier = Known { writer: &writer, scope };
    let planned = order(&source.objects, &tips, &source.shallow, &earlier, !healed.is_empty(), monitor)?;
    // Said once, before anything is made: later, a path may well have nothing new.
    if view.snapshot().scan_prefix(Space::Imports, &key::commits(scope))?.next().is_none() {
        narrow::check(&source.objects, &wish.paths, &planned.commits, monitor)?;
    }
    let parameters = repository.store().settings().chunker;
    let ingester = Ingester::storing(&writer, &parameters, monitor);
    let places = (source.lfs.as_slice(), source.worktrees.as_slice());
    let erased = Erased::read(&view)?;
    let blobs = Blobs::new(&source.objects, &writer, ingester, monitor, places, erased);
    blobs.remember_marks(&view)?;
    let missing_rows: Vec<(Vec<u8>, Vec<u8>)> =
        view.snapshot().scan_prefix(Space::Imports, key::MISSING)?.collect::<Result<_, _>>()?;
    let formed = Formed::read(&view)?;
    let unfinished = view.unfinished_imports()?;
    drop(view);
    let tied = blobs.tie_missing(missing_rows)?;
    let mut builder = Builder::new(&writer, &blobs, &wish.paths, formed, unfinished);
    let batches = Batches { objects: &source.objects, writer: &writer, blobs: &blobs, wish, monitor };
    batches.run(&planned.commits, &mut builder)?;
    let mut result = Imported {
        commits: planned.commits.len() as u64,
        absent_parents: planned.absent,
        regrown: !healed.is_empty(),
        skipped: std::mem::take(&mut builder.skipped),
        tied: tied.rows.len() as u64,
        still_missing: tied.missing,
        ..Imported::default()
    };
    for peeled in refs {
        result.refs.push(peeled.keep(&writer, &mut builder)?);
    }
    let healed = only_whole(&mut builder, source, scope, healed)?;
    drop(builder);
    finish(&blobs, &mut result);
    drop(blobs);
    let staged = writer.finish()?;
    result.stored_bytes = staged.totals().stored_bytes;
    let mut edit = repository.edit()?;
    edit.publish(staged)?;
    for row in tied.rows.iter().chain(&healed) {
        edit.transaction().delete(Space::Imports, row)?;
    }
    edit.commit()?;
    Ok(result)
}

/// What earlier imports brought, as the writer sees it.
struct Known<'a> {
    writer: &'a ChunkWriter<'a>,
    scope: Scope,
}

impl Earlier for Known<'_> {
    fn commit(&self, id: GitId) -> Result<Option<CommitId>, ImportError> {
        imported(self.writer, self.scope, id)
    }

    fn parents(&self, id: CommitId) -> Result<Vec<CommitId>, ImportError> {
        let missing = || RepoError::Missing { kind: "commit", id: id.to_string() };
        let bytes = self.writer.stored_object(Space::Commits, id.as_bytes())?.ok_or_else(missing)?;
        let commit = Commit::decode(&bytes);
        let damaged = |source| RepoError::Damaged { kind: "commit", id: id.to_string(), source };
        Ok(commit.map_err(damaged)?.parents)
    }
}

/// The records of commits that were found cut off by an earlier import and are whole in this source.
fn healed(view: &View, source: &Source, scope: Scope) -> Result<Vec<Vec<u8>>, ImportError> {
    let prefix = key::cuts(scope);
    let mut healed = Vec::new();
    for row in view.snapshot().scan_prefix(Space::Imports, &prefix)? {
        let (key, _) = row?;
        let Some(id) = GitId::from_slice(&key[prefix.len()..]) else { continue };
        let here = |reader: &mut Reader| reader.header(id);
        if !source.shallow.contains(&id) && source.objects.with_reader(here)?.is_some() {
            healed.push(key);
        }
    }
    Ok(healed)
}

/// Of the records of commits that were cut off, those of commits that have all their parents now.
fn only_whole(
    builder: &mut Builder<'_>,
    source: &Source,
    scope: Scope,
    healed: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, ImportError> {
    let start = key::cuts(scope).len();
    let mut whole = Vec::new();
    for row in healed {
        let Some(id) = GitId::from_slice(&row[start..]) else { continue };
        let mut bytes = Vec::new();
        source.objects.with_reader(|reader| reader.find_kind(id, Kind::Commit, &mut bytes))?;
        let parents = parse::commit_links(&bytes).1.len();
        if builder.parents_of(id)?.is_some_and(|made| made == parents) {
            whole.push(row);
        }
    }
    Ok(whole)
}

fn finish(blobs: &Blobs<'_>, result: &mut Imported) {
    use std::sync::atomic::Ordering::Relaxed;
    result.missing = blobs.take_missing();
    result.missing.sort();
    result.still_missing.sort();
    result.skipped.sort();
    result.skipped.dedup();
    result.blobs = blobs.totals.blobs.load(Relaxed);
    result.bytes = blobs.totals.bytes.load(Relaxed);
    result.lfs_bytes = blobs.totals.lfs_bytes.load(Relaxed);
    result.new_bytes = blobs.totals.new_bytes.load(Relaxed);
}

/// The names that a wish asks for.
fn choose<'r>(refs: &'r [SourceRef], wish: &Wish) -> Result<Vec<&'r SourceRef>, ImportError> {
    let patterns = patterns(wish)?;
    let chosen: Vec<&SourceRef> =
        refs.iter().filter(|entry| is_chosen(wish, &patterns, &entry.name)).collect();
    if chosen.is_empty() {
        Err(ImportError::NothingToImport { patterns: wish.names.clone() })
    } else {
        Ok(chosen)
    }
}

/// Whether a wish asks for a name.
pub fn asks_for(wish: &Wish, name: &[u8]) -> Result<bool, ImportError> {
    Ok(is_chosen(wish, &patterns(wish)?, name))
}

fn patterns(wish: &Wish) -> Result<Vec<gix::glob::Pattern>, ImportError> {
    let pattern = |text: &String| {
        let reason = || "it is no pattern for names".to_owned();
        gix::glob::Pattern::from_bytes_without_negation(text.as_bytes())
            .ok_or_else(|| ImportError::Argument { text: text.clone(), reason: reason() })
    };
    wish.names.iter().map(pattern).collect()
}

fn is_chosen(wish: &Wish, patterns: &[gix::glob::Pattern], name: &[u8]) -> bool {
    let fits = |name: &[u8]| {
        let mode = gix::glob::wildmatch::Mode::empty();
        patterns.is_empty()
            || patterns.iter().any(|pattern| gix::glob::wildmatch(pattern.text.as_ref(), name.into(), mode))
    };
    match category(name) {
        (Category::Branch | Category::Tag, short) => fits(short),
        (Category::Remote, short) => wish.remotes && fits(short),
        (Category::Kept, _) => patterns.is_empty() && wish.paths.is_empty(),
        (Category::Other, _) => false,
    }
}

/// What a name in Git is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
    /// A branch of another repository, as it was when last seen.
    Remote,
    /// Notes and replacements: kept for the way back, not shown.
    Kept,
    /// Anything else: left alone.
    Other,
}

/// What a full name is for, and its short form.
pub fn category(name: &[u8]) -> (Category, &[u8]) {
    let kinds = [
        (&b"refs/heads/"[..], Category::Branch),
        (b"refs/tags/", Category::Tag),
        (b"refs/remotes/", Category::Remote),
        (b"refs/notes/", Category::Kept),
        (b"refs/replace/", Category::Kept),
    ];
    let found = kinds.into_iter().find_map(|(prefix, kind)| Some((kind, name.strip_prefix(prefix)?)));
    found.unwrap_or((Category::Other, name))
}

/// A name with what it stands for in the end.
struct Peeled {
    name: Vec<u8>,
    git: GitId,
    commit: Option<GitId>,
    /// The tags on the way, outermost first, byte for byte.
    tags: Vec<(GitId, Vec<u8>)>,
    /// The blob in the end, when it is one that is kept.
    blob: Option<(GitId, Vec<u8>)>,
}

impl Peeled {
    fn keep(self, writer: &ChunkWriter<'_>, builder: &mut Builder<'_>) -> Result<ImportedRef, ImportError> {
        for (id, bytes) in self.tags.iter().chain(&self.blob) {
            writer.put_object(Space::Origins, &key::original(*id), bytes)?;
        }
        let commit = match self.commit {
            Some(id) => builder.made(id)?.map(|(commit, _)| commit),
            None => None,
        };
        let tag = self.tags.first().and_then(|(_, bytes)| parse::tag(bytes));
        let whole = commit.is_some() || self.blob.is_some();
        Ok(ImportedRef { name: self.name, git: self.git, commit, tag, whole })
    }
}

/// Follows names through tags to commits.
fn peel(objects: &Objects, refs: &[&SourceRef]) -> Result<Vec<Peeled>, ImportError> {
    objects.with_reader(|reader| refs.iter().map(|entry| peel_one(reader, entry)).collect())
}

fn peel_one(reader: &mut Reader, entry: &SourceRef) -> Result<Peeled, ImportError> {
    let mut peeled =
        Peeled { name: entry.name.clone(), git: entry.target, commit: None, tags: Vec::new(), blob: None };
    let mut next = entry.target;
    for _ in 0..TAG_CHAIN_MAX {
        let (kind, size) = match reader.header(next)? {
            Some(found) => found,
            None if category(&entry.name).0 == Category::Kept => break,
            None => return Err(ImportError::Missing { id: next }),
        };
        let mut bytes = Vec::new();
        match kind {
            Kind::Commit => peeled.commit = Some(next),
            Kind::Tag => {
                reader.find_kind(next, Kind::Tag, &mut bytes)?;
                let target = parse::tag(&bytes).map(|tag| tag.target);
                peeled.tags.push((next, bytes));
                if let Some(target) = target {
                    next = target;
                    continue;
                }
            }
            Kind::Blob if size <= NAMED_BLOB_BYTES_MAX => {
                reader.find_kind(next, Kind::Blob, &mut bytes)?;
                peeled.blob = Some((next, bytes));
            }
            Kind::Tree | Kind::Blob => {}
        }
        break;
    }
    Ok(peeled)
}

struct Batches<'a> {
    objects: &'a Objects,
    writer: &'a ChunkWriter<'a>,
    blobs: &'a Blobs<'a>,
    wish: &'a Wish,
    monitor: &'a dyn Monitor,
}

impl Batches<'_> {
    fn run(&self, commits: &[Planned], builder: &mut Builder<'_>) -> Result<(), ImportError> {
        self.monitor.phase(Phase { name: "Importing", files_total: None, bytes_total: None });
        let (mut done, total) = (0, commits.len() as u64);
        self.monitor.commits(done, total);
        let trees: HashMap<GitId, GitId> = commits.iter().map(|planned| (planned.id, planned.tree)).collect();
        let (mut rest, mut size) = (commits, BATCH_COMMITS_MIN);
        while !rest.is_empty() {
            let read = self.read(&rest[..size.min(rest.len())], &trees)?;
            let count = read.len();
            rest = &rest[count..];
            let changed: usize = read.iter().map(|commit| commit.changes.changes.len()).sum();
            self.blobs.take(&wanted(&read))?;
            for commit in read {
                if self.monitor.is_cancelled() {
                    return Err(ImportError::Cancelled);
                }
                builder.make(commit)?;
                done += 1;
                self.monitor.commits(done, total);
            }
            builder.skipped.truncate(SKIPPED_MAX);
            self.publish(builder)?;
            let per_commit = changed / count.max(1) + 1;
            size = (BATCH_CHANGES / per_commit).clamp(1, BATCH_COMMITS_MAX).min(size * 2);
        }
        Ok(())
    }

    /// Makes everything so far durable, so that the next run goes on from here.
    fn publish(&self, builder: &Builder<'_>) -> Result<(), ImportError> {
        let newest: Vec<u8> = builder.newest().flat_map(|id| *id.as_bytes()).collect();
        self.writer.put_object(Space::Imports, UNFINISHED_KEY, &newest)?;
        self.writer.publish()?;
        builder.published();
        Ok(())
    }

    /// Reads commits and compares their trees, several at a time, until these are all or memory is full: at
    /// least one.
    fn read(&self, batch: &[Planned], trees: &HashMap<GitId, GitId>) -> Result<Vec<ReadCommit>, ImportError> {
        let (mut read, mut entries, mut bytes) = (Vec::with_capacity(batch.len()), 0, 0);
        let mut at_once = READ_AT_ONCE;
        let mut rest = batch;
        while !rest.is_empty() && entries < BATCH_ENTRIES && bytes < BATCH_ORIGINAL_BYTES {
            let (next, later) = rest.split_at(at_once.min(rest.len()));
            rest = later;
            let found: Vec<ReadCommit> =
                next.par_iter().map(|planned| self.read_one(planned, trees)).collect::<Result<_, _>>()?;
            let weight: usize = found.iter().map(|commit| commit.changes.weight).sum();
            entries += weight;
            bytes += found.iter().map(|commit| commit.original.len()).sum::<usize>();
            read.extend(found);
            let per_commit = weight / next.len() + 1;
            at_once = (BATCH_ENTRIES / 4 / per_commit).clamp(1, READ_AT_ONCE);
        }
        Ok(read)
    }

    fn read_one(&self, planned: &Planned, trees: &HashMap<GitId, GitId>) -> Result<ReadCommit, ImportError> {
        if self.monitor.is_cancelled() {
            return Err(ImportError::Cancelled);
        }
        self.objects.with_reader(|reader| {
            let mut original = Vec::new();
            if !reader.find_kind(planned.id, Kind::Commit, &mut original)? {
                return Err(ImportError::Missing { id: planned.id });
            }
            let before = match planned.parents.first() {
                Some(parent) => match trees.get(parent) {
                    Some(tree) => Before::Tree(*tree),
                    None => self.tree_of(*parent, reader)?.map_or(Before::Gone, Before::Tree),
                },
                None => Before::Nothing,
            };
            let changes = changes(reader, planned.id, before, planned.tree, &self.wish.paths)?;
            let (id, parents, cut) = (planned.id, planned.parents.clone(), planned.cut > 0);
            Ok(ReadCommit { id, original, parents, cut, changes })
        })
    }

    /// The tree of a commit that an earlier import brought: from Git or, where Git has removed the commit,
    /// from the original that was kept.
    fn tree_of(&self, commit: GitId, reader: &mut Reader) -> Result<Option<GitId>, ImportError> {
        let mut bytes = Vec::new();
        if reader.find_kind(commit, Kind::Commit, &mut bytes)? {
            return Ok(parse::commit_links(&bytes).0);
        }
        let Some(here) = imported(self.writer, scope_of(self.wish), commit)? else { return Ok(None) };
        let original = self.writer.stored_object(Space::Origins, here.as_bytes())?;
        Ok(original.and_then(|bytes| parse::commit_links(&bytes).0))
    }
}

/// The blobs of a batch, each once.
fn wanted(read: &[ReadCommit]) -> Vec<Wanted> {
    let mut seen = HashSet::new();
    let changes = read.iter().flat_map(|commit| &commit.changes.changes);
    changes
        .filter_map(|change| {
            let (kind, id) = change.now.filter(|(kind, _)| *kind != EntryKind::Submodule)?;
            let link = kind == EntryKind::Symlink;
            seen.insert(id).then(|| Wanted { id, path: change.path.as_bytes().to_vec(), link })
        })
        .collect()
}

/// Takes note that nothing is unfinished any more.
pub fn settle(edit: &mut crate::repo::Edit) -> Result<(), ImportError> {
    edit.transaction().delete(Space::Imports, UNFINISHED_KEY)?;
    Ok(())
}
