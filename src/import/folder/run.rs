//! Carries a plan out: every step becomes a commit on top of the one before, published all together.

use crate::base::id::{CommitId, TreeId};
use crate::base::monitor::{Advance, Monitor, Phase, Problem};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::import::erased::Erased;
use crate::import::error::ImportError;
use crate::import::folder::archive::{Archive, ArchiveEntry};
use crate::import::folder::inside::{Inside, Kind};
use crate::import::folder::plan::{Action, Plan, Step};
use crate::import::nodes::Nodes;
use crate::object::commit::{Commit, Signature};
use crate::object::tree::{Content, TreeNode};
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::entry_at;
use crate::repo::assign::{Differences, assign};
use crate::repo::content::ContentError;
use crate::repo::ingest::{Ingested, Ingester};
use crate::repo::people::Identity;
use crate::repo::state::PendingEdits;
use crate::repo::{RepoError, Repository};
use crate::rules::ignore::IgnoreStack;
use crate::store::{ChunkWriter, GroupHint, Space, Staged};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::DirEntry;
use std::io::{Read, Seek as _};
use std::ops::Bound;
use std::path::Path;

/// What is said of content that somebody erased.
const ERASED: &str = "its content was erased here for good";
/// Longest target of a link in an archive, in bytes.
const LINK_BYTES_MAX: u64 = 64 << 10;

/// What carrying a plan out made, waiting to be published with the name of a branch.
pub struct Made {
    /// The content and the commits.
    pub staged: Staged,
    /// The newest commit; `None` when no step changed anything.
    pub tip: Option<CommitId>,
    /// How many commits.
    pub commits: u64,
    /// Files read, their bytes, and those that were new.
    pub files: u64,
    pub bytes: u64,
    pub new_bytes: u64,
    /// What could not be taken.
    pub problems: Vec<Problem>,
}

/// Makes the commits of a plan, the first without a parent.
pub fn run(
    repository: &Repository,
    folder: &Path,
    plan: &Plan,
    who: &Identity,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<Made, ImportError> {
    check(folder, plan)?;
    let writer = repository.store().chunk_writer(monitor)?;
    let parameters = repository.store().settings().chunker;
    let mut series = Series {
        writer: &writer,
        ingester: Ingester::storing(&writer, &parameters, monitor),
        nodes: Nodes::new(&writer),
        erased: Erased::read(&repository.view()?)?,
        inside: Inside::new(folder),
        monitor,
        state: BTreeMap::new(),
        put: BTreeSet::new(),
        tip: None,
        totals: Totals::default(),
        problems: Vec::new(),
    };
    monitor.phase(Phase { name: "Importing", files_total: None, bytes_total: None });
    for (done, step) in plan.steps.iter().enumerate() {
        monitor.commits(done as u64, plan.steps.len() as u64);
        series.step(step, who, now)?;
    }
    let Series { tip, totals, problems, .. } = series;
    let staged = writer.finish()?;
    let Totals { commits, files, bytes, new_bytes } = totals;
    Ok(Made { staged, tip: tip.map(|(id, _)| id), commits, files, bytes, new_bytes, problems })
}

/// Looks whether everything is there that a plan names, before anything of it is carried out.
pub fn check(folder: &Path, plan: &Plan) -> Result<(), ImportError> {
    let inside = Inside::new(folder);
    let mut wrong: Vec<(AssetPath, String)> = Vec::new();
    for action in plan.steps.iter().flat_map(|step| &step.actions) {
        let (from, found) = match action {
            Action::Put { from, .. } => (from, inside.kind(from).map(|kind| kind == Kind::File)),
            Action::All { from, .. } => (from, inside.kind(from).map(|_| true)),
        };
        let reason = match found {
            Ok(true) => continue,
            Ok(false) => "it is a folder".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "it is not there".to_owned(),
            Err(error) => error.to_string(),
        };
        if wrong.iter().all(|(other, _)| other != from) {
            wrong.push((from.clone(), reason));
        }
    }
    let count = wrong.len();
    match wrong.into_iter().next() {
        Some((from, reason)) => Err(ImportError::PlanPlace { from, reason, more: count - 1 }),
        None => Ok(()),
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Totals {
    commits: u64,
    files: u64,
    bytes: u64,
    new_bytes: u64,
}

/// Commits that follow one another.
struct Series<'a> {
    writer: &'a ChunkWriter<'a>,
    ingester: Ingester<'a>,
    nodes: Nodes<'a>,
    erased: Erased,
    inside: Inside,
    monitor: &'a dyn Monitor,
    /// Everything as the newest commit has it.
    state: BTreeMap<AssetPath, Content>,
    /// Paths that single files were put at: a state of everything does not take them away.
    put: BTreeSet<AssetPath>,
    tip: Option<(CommitId, TreeId)>,
    totals: Totals,
    problems: Vec<Problem>,
}

impl Series<'_> {
    fn step(&mut self, step: &Step, who: &Identity, now: Timestamp) -> Result<(), ImportError> {
        if self.monitor.is_cancelled() {
            return Err(ImportError::Cancelled);
        }
        let mut next = self.state.clone();
        for action in &step.actions {
            match action {
                Action::Put { path, from } => {
                    if let Some(content) = self.take_file(from)? {
                        make_room(&mut next, path);
                        next.insert(path.clone(), content);
                        self.put.insert(path.clone());
                    }
                }
                Action::All { into, from } => self.replace_all(into, from, &mut next)?,
            }
        }
        if next == self.state {
            return Ok(());
        }
        self.commit(step, next, who, now)
    }

    /// Replaces what is in a folder by what is in another, or in an archive. What cannot be read
    /// replaces nothing.
    fn replace_all(
        &mut self,
        into: &AssetPath,
        from: &AssetPath,
        next: &mut BTreeMap<AssetPath, Content>,
    ) -> Result<(), ImportError> {
        let Some(Taken { all, unreadable }) = self.take_all(from)? else { return Ok(()) };
        let placed = |inner: &AssetPath| match (into.is_root(), inner.is_root()) {
            (true, _) => Ok(inner.clone()),
            (false, true) => Ok(into.clone()),
            (false, false) => AssetPath::from_bytes([into.as_bytes(), b"/", inner.as_bytes()].concat()),
        };
        // What cannot be read is not gone: it stays as it was before.
        let kept: Vec<AssetPath> = unreadable.iter().filter_map(|inner| placed(inner).ok()).collect();
        let put = &self.put;
        next.retain(|path, _| {
            let is_kept = kept.iter().any(|unreadable| path.is_within(unreadable));
            put.contains(path) || !path.is_within(into) || is_kept
        });
        for (inner, content) in all {
            let Ok(path) = placed(&inner) else {
                self.problem(from, format!("{inner} in it would get a path that is too long"));
                continue;
            };
            if !self.put.contains(&path) {
                make_room(next, &path);
                next.insert(path, content);
            }
        }
        Ok(())
    }

    fn commit(
        &mut self,
        step: &Step,
        next: BTreeMap<AssetPath, Content>,
        who: &Identity,
        now: Timestamp,
    ) -> Result<(), ImportError> {
        let (parents, base) = match self.tip {
            Some((id, tree)) => (vec![id], tree),
            None => (Vec::new(), TreeNode::empty_id()),
        };
        let differences = self.differences(base, &next)?;
        let assignment = assign(&parents, differences, &PendingEdits::default(), &HashMap::new());
        let tree = self.nodes.edit(base, assignment.edits)?;
        let author = Signature { person: who.id, time: step.time };
        let commit = Commit {
            tree,
            parents,
            author,
            committer: Signature { person: who.id, time: now },
            message: step.message.clone(),
            notes: assignment.notes,
            extensions: Vec::new(),
        };
        let id = commit.id();
        self.writer.put_object(Space::Commits, id.as_bytes(), &commit.encode())?;
        self.tip = Some((id, tree));
        self.state = next;
        self.totals.commits += 1;
        Ok(())
    }

    fn differences(
        &self,
        base: TreeId,
        next: &BTreeMap<AssetPath, Content>,
    ) -> Result<Differences, ImportError> {
        let mut differences = Differences::default();
        let standing = |path: &AssetPath| -> Result<EntryValue, ImportError> {
            let found = entry_at(&self.nodes, base, path).map_err(RepoError::from)?;
            let missing = || RepoError::Structure { message: format!("{path} is not where it was put") };
            Ok(found.ok_or_else(missing)?.into())
        };
        for path in self.state.keys().filter(|path| !next.contains_key(*path)) {
            differences.removed.push((path.clone(), standing(path)?));
        }
        for (path, content) in next {
            match self.state.get(path) {
                Some(before) if before == content => {}
                Some(_) => differences.changed.push((path.clone(), standing(path)?, content.clone())),
                None => differences.added.push((path.clone(), content.clone())),
            }
        }
        Ok(differences)
    }

    fn problem(&mut self, path: &AssetPath, message: impl Into<String>) {
        let problem = Problem { path: path.clone(), message: message.into() };
        self.monitor.problem(problem.clone());
        self.problems.push(problem);
    }

    /// Takes a file of the folder in; `None` when it cannot be read, which is told.
    fn take_file(&mut self, from: &AssetPath) -> Result<Option<Content>, ImportError> {
        use std::os::unix::fs::PermissionsExt as _;
        let (mut file, found) = match self.inside.open(from) {
            Ok(opened) => opened,
            Err(error) => {
                self.problem(from, error.to_string());
                return Ok(None);
            }
        };
        if self.erased.may_have(found.len()) {
            match self.erased.find_in(&mut file).and_then(|erased| file.rewind().map(|()| erased)) {
                Ok(None) => {}
                Ok(Some(_)) => {
                    self.problem(from, ERASED);
                    return Ok(None);
                }
                Err(error) => {
                    self.problem(from, error.to_string());
                    return Ok(None);
                }
            }
        }
        let ingested = match self.take(&mut file, from) {
            Err(ImportError::Content(ContentError::Read { source })) => {
                self.problem(from, source.to_string());
                return Ok(None);
            }
            taken => taken?,
        };
        let executable = found.permissions().mode() & 0o100 != 0;
        Ok(Some(Content::File { id: ingested.file, size: ingested.size, executable }))
    }

    fn take(&mut self, input: &mut dyn Read, name: &AssetPath) -> Result<Ingested, ImportError> {
        let ingested = self.ingester.ingest_file(input, GroupHint::of_name(name.name()))?;
        self.totals.files += 1;
        self.totals.bytes += ingested.size;
        self.totals.new_bytes += ingested.new_bytes;
        self.monitor.advance(Advance { files: 1, ..Advance::default() });
        Ok(ingested)
    }

    /// Everything in a folder or an archive; `None` when it cannot be read, which is told.
    fn take_all(&mut self, from: &AssetPath) -> Result<Option<Taken>, ImportError> {
        let opened = match self.inside.kind(from) {
            Ok(Kind::Folder) => {
                let mut taken = Taken::default();
                self.take_folder(from, &AssetPath::root(), &mut taken)?;
                return Ok(Some(taken));
            }
            Ok(Kind::File) => self.inside.open(from),
            Err(error) => Err(error),
        };
        let archive = match opened {
            Ok((file, _)) => Archive::of(file, &self.inside.on_disk(from)),
            Err(error) => {
                self.problem(from, error.to_string());
                return Ok(None);
            }
        };
        match archive {
            Ok(archive) => self.take_archive(from, archive).map(Some),
            Err(ImportError::Archive { reason, .. }) => {
                self.problem(from, format!("the archive cannot be read: {reason}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn take_folder(
        &mut self,
        from: &AssetPath,
        inner: &AssetPath,
        into: &mut Taken,
    ) -> Result<(), ImportError> {
        if self.monitor.is_cancelled() {
            return Err(ImportError::Cancelled);
        }
        let read =
            std::fs::read_dir(self.inside.on_disk(from)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match read {
            Ok(entries) => entries,
            Err(error) => {
                self.problem(from, format!("the folder cannot be read: {error}"));
                into.unreadable.push(inner.clone());
                return Ok(());
            }
        };
        entries.sort_by_key(DirEntry::file_name);
        let ignore = IgnoreStack::new(b"");
        for entry in entries {
            self.take_entry(&entry, (from, inner), &ignore, into)?;
        }
        Ok(())
    }

    /// Takes one entry of a folder, which lies in `from` on disk and in `inner` of the state.
    fn take_entry(
        &mut self,
        entry: &DirEntry,
        (from, inner): (&AssetPath, &AssetPath),
        ignore: &IgnoreStack,
        into: &mut Taken,
    ) -> Result<(), ImportError> {
        use std::os::unix::ffi::OsStrExt as _;
        let name = entry.file_name();
        let (Ok(source), Ok(path)) = (from.join(name.as_bytes()), inner.join(name.as_bytes())) else {
            self.problem(from, "a path in it is too long");
            return Ok(());
        };
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => {
                self.problem(&source, error.to_string());
                into.unreadable.push(path);
                return Ok(());
            }
        };
        let refused = crate::rules::portable::check_entry_name(name.as_bytes()).is_err();
        if refused || ignore.is_ignored(path.as_bytes(), kind.is_dir()) {
            return Ok(());
        }
        if kind.is_dir() {
            return self.take_folder(&source, &path, into);
        }
        let content =
            if kind.is_symlink() { self.take_link(entry, &source)? } else { self.take_file(&source)? };
        match content {
            Some(content) => drop(into.all.insert(path, content)),
            None => into.unreadable.push(path),
        }
        Ok(())
    }

    fn take_link(&mut self, entry: &DirEntry, source: &AssetPath) -> Result<Option<Content>, ImportError> {
        use std::os::unix::ffi::OsStrExt as _;
        match std::fs::read_link(entry.path()) {
            Ok(target) => {
                let Ingested { file: id, size, .. } =
                    self.take(&mut target.as_os_str().as_bytes(), source)?;
                Ok(Some(Content::Symlink { id, size }))
            }
            Err(error) => {
                self.problem(source, error.to_string());
                Ok(None)
            }
        }
    }

    fn take_archive(&mut self, from: &AssetPath, mut archive: Archive) -> Result<Taken, ImportError> {
        let (entries, refused) = archive.entries();
        for name in refused {
            self.problem(
                from,
                format!("{name} in it cannot be taken: it is locked or no file may be called so"),
            );
        }
        let mut taken = Taken::default();
        for entry in entries {
            match self.unpack(&mut archive, &entry)? {
                Ok(ingested) => {
                    make_room(&mut taken.all, &entry.path);
                    taken.all.insert(entry.path.clone(), content_of(&entry, &ingested));
                }
                Err(reason) => {
                    self.problem(from, format!("{} in it cannot be unpacked: {reason}", entry.path));
                    taken.unreadable.push(entry.path);
                }
            }
        }
        Ok(taken)
    }

    /// Takes an entry of an archive, or says why it cannot be had.
    fn unpack(
        &mut self,
        archive: &mut Archive,
        entry: &ArchiveEntry,
    ) -> Result<Result<Ingested, String>, ImportError> {
        if !self.erased.is_empty() {
            match archive.read(entry.index, |input| self.erased.find_in(input)) {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(_))) => return Ok(Err(ERASED.to_owned())),
                Ok(Err(error)) => return Ok(Err(error.to_string())),
                Err(reason) => return Ok(Err(reason)),
            }
        }
        match archive.read(entry.index, |input| self.take(input, &entry.path)) {
            Ok(Ok(ingested)) => Ok(Ok(ingested)),
            Ok(Err(ImportError::Content(ContentError::Read { source }))) => Ok(Err(source.to_string())),
            Ok(Err(error)) => Err(error),
            Err(reason) => Ok(Err(reason)),
        }
    }
}

/// What was read of a state.
#[derive(Default)]
struct Taken {
    all: BTreeMap<AssetPath, Content>,
    /// Files and folders that are there and cannot be read.
    unreadable: Vec<AssetPath>,
}

fn content_of(entry: &ArchiveEntry, ingested: &Ingested) -> Content {
    let Ingested { file: id, size, .. } = *ingested;
    if entry.link && (1..=LINK_BYTES_MAX).contains(&size) {
        Content::Symlink { id, size }
    } else {
        Content::File { id, size, executable: entry.executable }
    }
}

/// Takes away what cannot stand beside `path`: files above it and everything below it.
fn make_room(state: &mut BTreeMap<AssetPath, Content>, path: &AssetPath) {
    let mut above = std::iter::successors(path.parent(), AssetPath::parent);
    let in_the_way: Vec<AssetPath> = above.by_ref().filter(|folder| state.contains_key(folder)).collect();
    for folder in in_the_way {
        state.remove(&folder);
    }
    let (start, end) = ([path.as_bytes(), b"/"].concat(), [path.as_bytes(), b"0"].concat());
    let below = state.range::<[u8], _>((Bound::Included(&start[..]), Bound::Excluded(&end[..])));
    let below: Vec<AssetPath> = below.map(|(other, _)| other.clone()).collect();
    for other in below {
        state.remove(&other);
    }
}
