//! `export`: a state of everything, or of a part, in a folder or an archive of its own.

use crate::app::common::content::{CheckoutContent, StoredContent};
use crate::app::common::on_demand::{file_of, view_with};
use crate::app::common::problem::ProblemLine;
use crate::app::common::target::{begin_folder, refuse_repository};
use crate::app::embed_copies;
use crate::app::error::AppError;
use crate::app::sidecars;
use crate::base::id::CommitId;
use crate::base::local_path::LocalPath;
use crate::base::monitor::{Advance, Monitor, Phase, Problem};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::media::worker::Workers;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeEntry};
use crate::object::tree_walk::TreeWalk;
use crate::repo::at_hand::AtHand;
use crate::repo::content::ContentError;
use crate::repo::extract::Extractor;
use crate::repo::holdings::Holdings;
use crate::repo::{RepoError, Repository, View};
use crate::worktree::checkout::{LinkPolicy, PlanInput, Wanted, execute, plan};
use crate::worktree::displaced::Displacer;
use crate::worktree::root::Worktree;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, BufWriter, Cursor, Read, Write};
use std::path::{Path, PathBuf};

/// What to export.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which revision.
    pub revision: String,
    /// Where to: a folder that is not there or empty, or a `.tar` or `.tar.zst` that is not there.
    pub target: PathBuf,
    /// Only these paths; everything when empty.
    pub paths: Vec<AssetPath>,
    /// Write what is said of each file beside it, as an XMP sidecar; into a folder only.
    pub sidecars: bool,
    /// Write what is said of each file into its copy, by decoders that are run so; into a folder only.
    pub embed: Option<Workers>,
}

/// What was exported.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The commit.
    pub commit: CommitId,
    /// Where to.
    pub target: LocalPath,
    /// How many files and links.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many sidecars stand beside them.
    pub sidecars: u64,
    /// How many copies have what is said of them in them; these are not the committed files any more.
    pub embedded: u64,
    /// How many files, of which something is said, are of kinds that take nothing in.
    pub not_embedded: u64,
    /// Paths that could not be exported.
    pub problems: Vec<ProblemLine>,
}

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Archive {
    Plain,
    Zstd,
}

/// Exports.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    refuse_repository(&options.target)?;
    let view = repository.view()?;
    let id = view.resolve(&options.revision, clock.now())?.commit;
    let commit = view.commit(id)?;
    let entries = collect(&view, commit.tree, &options.paths)?;
    let wanted: Vec<_> = entries.iter().filter_map(|(_, entry)| file_of(&entry.content)).collect();
    let view = view_with(repository, view, wanted, monitor)?;
    let stored = StoredContent::new(repository, &view, monitor)?;
    let mut report = Report {
        commit: id,
        target: options.target.clone().into(),
        files: 0,
        bytes: 0,
        sidecars: 0,
        embedded: 0,
        not_embedded: 0,
        problems: Vec::new(),
    };
    if (options.sidecars || options.embed.is_some()) && archive_kind(&options.target).is_some() {
        return Err(AppError::SidecarsInArchive);
    }
    match archive_kind(&options.target) {
        Some(kind) => {
            let mtime = u64::try_from(commit.committer.time.unix_seconds()).unwrap_or(0);
            let holdings = Holdings::of(repository, &view)?;
            let packing = Packing { kind, entries: &entries, stored: &stored, holdings, mtime, monitor };
            packing.write(&options.target, &mut report)?;
        }
        None => {
            // Whatever appears in the folder meanwhile and would be lost is kept.
            let displacer = Displacer::new(repository.pent_dir(), "export", clock.now());
            write_folder(options, entries, &stored, &displacer, monitor, &mut report)?;
            if options.sidecars {
                let written = sidecars::export_commit(
                    repository,
                    commit.tree,
                    &options.paths,
                    &options.target,
                    monitor,
                )?;
                report.sidecars = written.written.len() as u64;
                report.problems.extend(written.problems);
            }
            if let Some(workers) = &options.embed {
                let (paths, target) = (&options.paths, &options.target);
                let done = embed_copies::embed(repository, commit.tree, paths, target, workers, monitor)?;
                (report.embedded, report.not_embedded) = (done.written, done.left);
                report.problems.extend(done.problems);
            }
        }
    }
    Ok(report)
}

/// All files and links below the wanted paths, in order.
fn collect(
    view: &View,
    tree: crate::base::id::TreeId,
    paths: &[AssetPath],
) -> Result<Vec<(AssetPath, TreeEntry)>, AppError> {
    let mut entries = Vec::new();
    let mut found = vec![false; paths.len()];
    for item in TreeWalk::new(&AtHand(view), tree, AssetPath::root()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        if entry.content.is_directory() {
            continue;
        }
        let mut wanted = paths.is_empty();
        for (index, folder) in paths.iter().enumerate() {
            if path.is_within(folder) {
                wanted = true;
                found[index] = true;
            }
        }
        if wanted {
            entries.push((path, entry));
        }
    }
    match found.iter().position(|found| !found) {
        Some(missing) => Err(AppError::NotInRevision { path: paths[missing].clone() }),
        None => Ok(entries),
    }
}

fn archive_kind(target: &Path) -> Option<Archive> {
    let name = target.file_name()?.to_string_lossy().to_ascii_lowercase();
    if name.ends_with(".tar") {
        Some(Archive::Plain)
    } else if name.ends_with(".tar.zst") || name.ends_with(".tzst") {
        Some(Archive::Zstd)
    } else {
        None
    }
}

fn write_folder(
    options: &Options,
    entries: Vec<(AssetPath, TreeEntry)>,
    stored: &StoredContent<'_>,
    displacer: &Displacer,
    monitor: &dyn Monitor,
    report: &mut Report,
) -> Result<(), AppError> {
    let target = &options.target;
    begin_folder(target)?;
    let root = Worktree::open(target)?;
    let wanted: Vec<Wanted> =
        entries.into_iter().map(|(path, entry)| Wanted { path, content: Some(entry.content) }).collect();
    let input = PlanInput {
        worktree: &root,
        index: None,
        seen: None,
        stored: &|_, _| None,
        is_held: &|_, _| false,
        wanted: &wanted,
    };
    let plan = plan(&input, monitor)?;
    plan.check_space(&root)?;
    let source = CheckoutContent(stored.extractor());
    let done = execute(&plan, &root, &source, displacer, LinkPolicy::Any, None, monitor)?;
    report.files = done.written.len() as u64;
    report.bytes = done.bytes_written;
    let problems = plan.problems().into_iter().chain(done.problems());
    report.problems =
        problems.inspect(|problem| monitor.problem(problem.clone())).map(ProblemLine::from).collect();
    if monitor.is_cancelled() { Err(AppError::Cancelled) } else { Ok(()) }
}

/// What goes into an archive.
struct Packing<'a> {
    kind: Archive,
    entries: &'a [(AssetPath, TreeEntry)],
    stored: &'a StoredContent<'a>,
    holdings: Holdings<'a>,
    /// The moment that every entry gets, in seconds since 1970.
    mtime: u64,
    monitor: &'a dyn Monitor,
}

impl Packing<'_> {
    fn write(&self, target: &Path, report: &mut Report) -> Result<(), AppError> {
        if target.symlink_metadata().is_ok() {
            return Err(AppError::TargetTaken { path: target.to_owned() });
        }
        let bytes_total = self.entries.iter().filter_map(|(_, entry)| entry.content.size()).sum();
        self.monitor.phase(Phase {
            name: "Exporting",
            files_total: Some(self.entries.len() as u64),
            bytes_total: Some(bytes_total),
        });
        // The archive appears under its name only when it is whole.
        let mut partial = target.as_os_str().to_owned();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        let written = self.write_partial(&partial, report);
        if written.is_err() {
            // Best effort; the error that is reported matters more.
            let _ = fs::remove_file(&partial);
        }
        written?;
        fs::rename(&partial, target).map_err(AppError::io("writing", target))
    }

    fn write_partial(&self, partial: &Path, report: &mut Report) -> Result<(), AppError> {
        let file = File::create_new(partial).map_err(AppError::io("writing", partial))?;
        let out = BufWriter::with_capacity(1 << 20, file);
        let out = match self.kind {
            Archive::Plain => self.append_all(out, partial, report)?,
            Archive::Zstd => {
                let encoder = zstd::Encoder::new(out, 3).map_err(AppError::io("writing", partial))?;
                let encoder = self.append_all(encoder, partial, report)?;
                encoder.finish().map_err(AppError::io("writing", partial))?
            }
        };
        let file = out.into_inner().map_err(|error| AppError::io("writing", partial)(error.into_error()))?;
        file.sync_all().map_err(AppError::io("writing", partial))
    }

    /// Appends all entries; the same commit always gives the same archive. What is not to be had is told
    /// and left out.
    fn append_all<W: Write>(&self, out: W, target: &Path, report: &mut Report) -> Result<W, AppError> {
        let extractor = self.stored.extractor();
        let mut archive = tar::Builder::new(out);
        for (path, entry) in self.entries {
            if self.monitor.is_cancelled() {
                return Err(AppError::Cancelled);
            }
            let body = match self.open(&extractor, path, &entry.content) {
                Ok(body) => body,
                Err(AppError::Cancelled) => return Err(AppError::Cancelled),
                Err(error) => {
                    let problem = Problem { path: path.clone(), message: with_causes(&error) };
                    self.monitor.problem(problem.clone());
                    report.problems.push(problem.into());
                    continue;
                }
            };
            self.append(&mut archive, path, body, target)?;
            let bytes = entry.content.size().unwrap_or(0);
            report.files += 1;
            report.bytes += bytes;
            self.monitor.advance(Advance { files: 1, bytes, ..Advance::default() });
        }
        archive.into_inner().map_err(AppError::io("writing", target))
    }

    /// Makes the bytes of an entry ready before anything of it is in the archive: whether they are all
    /// there is looked up, and the first are read.
    fn open<'e>(
        &self,
        extractor: &'e Extractor<'_>,
        path: &AssetPath,
        content: &Content,
    ) -> Result<Body<impl Read + use<'e>>, AppError> {
        match content {
            Content::File { id, size, executable } => {
                let mut rest = extractor.open_file(*id, *size)?;
                if *size > HEAD_BYTES && !self.holdings.has(*id, *size)? {
                    return Err(ContentError::Missing { file: *id }.into());
                }
                let mut head = Vec::new();
                rest.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(unread(path))?;
                let bytes = Cursor::new(head).chain(rest);
                Ok(Body::File {
                    bytes: Reading { bytes, has_failed: false },
                    size: *size,
                    executable: *executable,
                })
            }
            Content::Symlink { id, size } => {
                let mut target = Vec::new();
                extractor.open_file(*id, *size)?.read_to_end(&mut target).map_err(unread(path))?;
                Ok(Body::Link(target))
            }
            // Folders come with what is in them and are no entries.
            Content::Directory { .. } => Err(AppError::IsFolder { path: path.clone() }),
            Content::Foreign { algorithm, digest, .. } => {
                Err(AppError::foreign(path.clone(), *algorithm, digest))
            }
        }
    }

    fn append<W: Write>(
        &self,
        archive: &mut tar::Builder<W>,
        path: &AssetPath,
        body: Body<impl Read>,
        target: &Path,
    ) -> Result<(), AppError> {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(self.mtime);
        let name = name_of(path);
        match body {
            Body::File { mut bytes, size, executable } => {
                header.set_size(size);
                header.set_mode(if executable { 0o755 } else { 0o644 });
                // The header says how much follows, so a file that turns out damaged further on ends it all.
                archive.append_data(&mut header, &name, &mut bytes).map_err(|error| {
                    if bytes.has_failed {
                        unread(path)(error)
                    } else {
                        AppError::io("writing", target)(error)
                    }
                })
            }
            Body::Link(link) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                header.set_mode(0o777);
                let appended = archive.append_link(&mut header, &name, bytes_to_path(&link));
                appended.map_err(AppError::io("writing", target))
            }
        }
    }
}

/// Bytes of a file that are read before its header is written: of most files all of them.
const HEAD_BYTES: u64 = 4 << 20;

/// What an entry of an archive holds.
enum Body<R> {
    /// A file.
    File { bytes: Reading<R>, size: u64, executable: bool },
    /// A link, with its target.
    Link(Vec<u8>),
}

/// Remembers whether it was reading that failed, and not writing.
struct Reading<R> {
    bytes: R,
    has_failed: bool,
}

impl<R: Read> Read for Reading<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(into).inspect_err(|_| self.has_failed = true)
    }
}

/// Says which file could not be read out of the repository. What the content itself says is kept as it is.
fn unread(path: &AssetPath) -> impl FnOnce(io::Error) -> AppError + use<> {
    let place = name_of(path);
    move |error| AppError::io("reading the stored bytes of", &place)(error)
}

/// An error with what is at the bottom of it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut said: Vec<String> = causes.map(ToString::to_string).collect();
    said.dedup();
    said.join(": ")
}

fn name_of(path: &AssetPath) -> PathBuf {
    bytes_to_path(path.as_bytes())
}

fn bytes_to_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}
