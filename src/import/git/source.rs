//! What history is imported from: a Git repository in any of its forms, or a bundle.
//!
//! Opening asks the repository for nothing but facts: no program is run, no setting of the person or
//! the machine is read, no replacement object is followed.

use crate::base::id::GitId;
use crate::base::monitor::{Monitor, Phase};
use crate::import::error::{ImportError, io};
use crate::import::git::export::{Bases, Ground};
use crate::import::git::objects::{Objects, git_id};
use crate::import::git::ordinary;
use gix::bstr::ByteSlice as _;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Longest header of a bundle, in bytes.
const BUNDLE_HEADER_MAX: u64 = 1 << 26;
const BUNDLE_SIGNATURE: &[u8] = b"# v";
/// Largest object of a bundle: it is unpacked in memory once, in bytes.
const BUNDLED_BYTES_MAX: usize = 1 << 30;

/// A name that points somewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceRef {
    /// The full name, such as `refs/heads/main`.
    pub name: Vec<u8>,
    /// What it names: a commit, an annotated tag, seldom something else.
    pub target: GitId,
}

/// Tells repositories apart by where they lie.
pub type SourceId = [u8; 8];

/// A folder with checked-out files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checkout {
    /// The folder.
    pub folder: PathBuf,
    /// Git's list of what is checked out there.
    pub index: PathBuf,
}

/// An open repository or bundle.
pub struct Source {
    /// Its objects.
    pub objects: Objects,
    /// Its names, sorted.
    pub refs: Vec<SourceRef>,
    /// The full name that its HEAD stands for.
    pub head: Option<Vec<u8>>,
    /// Commits whose parents a shallow clone left out, or that were cut off by hand.
    pub shallow: HashSet<GitId>,
    /// Says which source it is, as long as it lies at the same place and is no bundle: only then does what is
    /// not in it any more say that it was removed.
    pub identity: Option<SourceId>,
    /// Folders of Git LFS content, the likeliest first.
    pub lfs: Vec<PathBuf>,
    /// Checked-out files, which may have content that the folders of LFS lack.
    pub worktrees: Vec<Checkout>,
    /// Names that could not be read.
    pub broken_refs: u64,
    /// Branches and tags that stand for other names.
    pub symbolic: Vec<Vec<u8>>,
    _unpacked: Option<Unpacked>,
}

impl Source {
    /// Opens a repository (its worktree, a linked worktree, a bare one) or a bundle, which is unpacked
    /// into a folder inside `scratch` that goes when the source does. An incremental bundle rests on `ground`.
    pub fn open(
        path: &Path,
        scratch: &Path,
        more_lfs: &[PathBuf],
        ground: &Ground<'_>,
        monitor: &dyn Monitor,
    ) -> Result<Self, ImportError> {
        let mut source = if path.is_file() {
            open_bundle(path, scratch, ground, monitor)?
        } else {
            open_repository(path, scratch)?
        };
        for folder in more_lfs {
            let objects = folder.join("objects");
            source.lfs.insert(0, if objects.is_dir() { objects } else { folder.clone() });
        }
        source.refs.sort();
        source.refs.dedup_by(|later, kept| later.name == kept.name);
        Ok(source)
    }
}

fn open_repository(path: &Path, scratch: &Path) -> Result<Source, ImportError> {
    ordinary::check(path)?;
    let opened = gix::open_opts(path, gix::open::Options::isolated().strict_config(false));
    let repository = opened.map_err(|error| not_opened(path, error))?;
    let config = repository.config_snapshot();
    let text = |key: &'static str| config.string(key).map(|value| value.to_string().to_ascii_lowercase());
    if repository.object_hash() != gix::hash::Kind::Sha1 {
        let format = repository.object_hash().to_string();
        return Err(ImportError::ObjectFormat { path: path.to_owned(), format });
    }
    if let Some(format) = text("extensions.refStorage").filter(|format| format != "files") {
        let reason =
            format!("its names are kept in the format {format}, which cannot be read; `git clone` it first");
        return Err(ImportError::Open { path: path.to_owned(), source: reason.into() });
    }
    let common = repository.common_dir().to_owned();
    let mut lfs = Vec::new();
    if let Some(storage) = config.string("lfs.storage") {
        let storage = PathBuf::from(storage.to_os_str_lossy().into_owned());
        lfs.push(common.join(storage).join("objects"));
    }
    lfs.extend([common.join("lfs/objects"), repository.git_dir().join("lfs/objects")]);
    let objects_dir = common.join("objects");
    let current = std::path::absolute(&common).unwrap_or_else(|_| common.clone());
    let borrowed = gix::odb::alternate::resolve(objects_dir.clone(), &current);
    let borrowed = borrowed.map_err(|error| open_error(path, error))?;
    lfs.extend(borrowed.iter().filter_map(|folder| Some(folder.parent()?.join("lfs/objects"))));
    lfs.dedup();
    let Names { refs, broken: broken_refs, symbolic } = read_refs(&repository, path)?;
    let head = repository.head_name().ok().flatten().map(|name| name.as_bstr().to_vec());
    let shallow = repository.shallow_commits().map_err(|error| open_error(path, error))?;
    let mut shallow: HashSet<GitId> =
        shallow.iter().flat_map(|commits| commits.iter()).filter_map(|id| git_id(id)).collect();
    shallow.extend(grafted(&common.join("info/grafts")));
    let objects = Objects::open(&objects_dir, borrowed, scratch)?;
    let worktrees = worktrees(&repository);
    let identity = Some(identity_of(&common));
    Ok(Source {
        objects,
        refs,
        head,
        shallow,
        identity,
        lfs,
        worktrees,
        broken_refs,
        symbolic,
        _unpacked: None,
    })
}

/// Commits that the file of grafts (gitrepository-layout(5)) says have no parents: how history was cut off
/// before there were shallow clones. Other grafts tell another history than the commits do; these are not
/// followed.
fn grafted(file: &Path) -> Vec<GitId> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().parse().ok()).collect()
}

fn identity_of(folder: &Path) -> SourceId {
    use std::os::unix::ffi::OsStrExt as _;
    let place = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut hasher = blake3::Hasher::new_derive_key("pentimento import source v1");
    hasher.update(place.as_os_str().as_bytes());
    let mut identity = SourceId::default();
    identity.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    identity
}

fn open_error(path: &Path, error: impl Into<crate::import::error::Cause>) -> ImportError {
    ImportError::Open { path: path.to_owned(), source: error.into() }
}

/// Tells what cannot be read from what is no repository.
fn not_opened(path: &Path, error: gix::Error) -> ImportError {
    let config = [path.join(".git/config"), path.join("config")];
    let format = config.iter().find_map(|file| object_format(file)).filter(|format| format != "sha1");
    if let Some(format) = format {
        return ImportError::ObjectFormat { path: path.to_owned(), format };
    }
    if path.join(".git").exists() || path.join("objects").is_dir() {
        return open_error(path, error);
    }
    ImportError::NoGit { path: path.to_owned(), source: Some(error.into()) }
}

/// The hash that a settings file says objects are named by.
fn object_format(config: &Path) -> Option<String> {
    let text = fs::read_to_string(config).ok()?;
    let value = text.lines().filter_map(|line| line.trim().split_once('='));
    let mut formats = value.filter(|(key, _)| key.trim().eq_ignore_ascii_case("objectformat"));
    formats.next().map(|(_, format)| format.trim().to_ascii_lowercase())
}

/// The names of a repository.
#[derive(Default)]
struct Names {
    refs: Vec<SourceRef>,
    /// How many could not be read.
    broken: u64,
    symbolic: Vec<Vec<u8>>,
}

fn read_refs(repository: &gix::Repository, path: &Path) -> Result<Names, ImportError> {
    let mut names = Names::default();
    let platform = repository.references().map_err(|error| open_error(path, error))?;
    for found in platform.all().map_err(|error| open_error(path, error))? {
        let Ok(found) = found else {
            names.broken += 1;
            continue;
        };
        let name = found.name().as_bstr().to_vec();
        match found.inner.target.try_id().and_then(git_id) {
            Some(target) => names.refs.push(SourceRef { name, target }),
            // A name for another name says nothing of its own.
            None if name.starts_with(b"refs/heads/") || name.starts_with(b"refs/tags/") => {
                names.symbolic.push(name);
            }
            None => {}
        }
    }
    names.symbolic.sort();
    Ok(names)
}

fn worktrees(repository: &gix::Repository) -> Vec<Checkout> {
    let checkout = |repository: &gix::Repository| {
        let folder = repository.workdir()?.to_owned();
        Some(Checkout { folder, index: repository.index_path() })
    };
    let mut found: Vec<Checkout> = checkout(repository).into_iter().collect();
    found.extend(repository.main_repo().ok().as_ref().and_then(checkout));
    for proxy in repository.worktrees().unwrap_or_default() {
        let index = proxy.git_dir().join("index");
        found.extend(proxy.base().ok().map(|folder| Checkout { folder, index }));
    }
    found.sort();
    found.dedup();
    found
}

/// A folder of objects that goes when this goes.
struct Unpacked {
    folder: PathBuf,
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // What stays behind lies in the folder for half-written files, where it harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The header of a bundle.
#[derive(Debug, Default, PartialEq, Eq)]
struct BundleHeader {
    refs: Vec<SourceRef>,
    head: Option<GitId>,
    needs: Vec<GitId>,
}

fn open_bundle(
    path: &Path,
    scratch: &Path,
    ground: &Ground<'_>,
    monitor: &dyn Monitor,
) -> Result<Source, ImportError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let file = File::open(path).map_err(io("opening", path))?;
    let mut input = BufReader::with_capacity(1 << 20, file);
    let header = read_bundle_header(path, &mut input)?;
    monitor.phase(Phase { name: "Unpacking", files_total: None, bytes_total: None });
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = scratch.join(format!("git-bundle-{}-{number}", std::process::id()));
    let packs = folder.join("pack");
    fs::create_dir_all(&packs).map_err(io("making", &packs))?;
    let unpacked = Unpacked { folder: folder.clone() };
    let bases = if header.needs.is_empty() {
        None
    } else {
        if let Some(commit) = ground.lay(&header.needs, &folder)? {
            return Err(ImportError::Thin { path: path.to_owned(), commit });
        }
        Some(ground.bases(&folder, scratch)?)
    };
    unpack(path, &mut input, &packs, bases)?;
    let head = header.head.and_then(|id| head_name(&header.refs, id));
    Ok(Source {
        objects: Objects::open(&folder, Vec::new(), scratch)?,
        refs: header.refs,
        head,
        shallow: HashSet::new(),
        identity: None,
        lfs: Vec::new(),
        worktrees: Vec::new(),
        broken_refs: 0,
        symbolic: Vec::new(),
        _unpacked: Some(unpacked),
    })
}

/// Unpacks the pack of a bundle, and puts in what its differences are to.
fn unpack(
    path: &Path,
    input: &mut impl BufRead,
    packs: &Path,
    bases: Option<Bases<'_>>,
) -> Result<(), ImportError> {
    let options = gix_pack::bundle::write::Options {
        thread_limit: None,
        alloc_limit_bytes: Some(BUNDLED_BYTES_MAX),
        ..Default::default()
    };
    gix_pack::Bundle::write_to_directory(
        input,
        Some(packs),
        &mut gix::utils::progress::Discard,
        &AtomicBool::new(false),
        bases,
        gix::hash::Kind::Sha1,
        options,
    )
    .map_err(|error| open_error(path, error))?;
    Ok(())
}

/// A bundle says where HEAD points but not by which name: `main` or `master` if they fit, else the first.
fn head_name(refs: &[SourceRef], head: GitId) -> Option<Vec<u8>> {
    let fits = |name: &[u8]| refs.iter().any(|entry| entry.name == name && entry.target == head);
    let usual = [&b"refs/heads/main"[..], b"refs/heads/master"].into_iter().find(|name| fits(name));
    let first = || refs.iter().find(|entry| entry.target == head && entry.name.starts_with(b"refs/heads/"));
    usual.map(<[u8]>::to_vec).or_else(|| first().map(|entry| entry.name.clone()))
}

/// Reads up to the empty line after which the pack begins (gitformat-bundle(5), versions 2 and 3).
fn read_bundle_header(path: &Path, input: &mut impl BufRead) -> Result<BundleHeader, ImportError> {
    let broken = |reason: &str| ImportError::Bundle { path: path.to_owned(), reason: reason.to_owned() };
    let mut limited = input.take(BUNDLE_HEADER_MAX);
    let mut line = Vec::new();
    let mut next = |line: &mut Vec<u8>| -> Result<(), ImportError> {
        line.clear();
        limited.read_until(b'\n', line).map_err(io("reading", path))?;
        if line.pop() == Some(b'\n') { Ok(()) } else { Err(broken("its header ends early")) }
    };
    let mut signature = Vec::new();
    match next(&mut signature) {
        Ok(()) if signature == b"# v2 git bundle" || signature == b"# v3 git bundle" => {}
        _ if signature.starts_with(BUNDLE_SIGNATURE) => return Err(broken("its version is unknown")),
        Ok(()) | Err(ImportError::Bundle { .. }) => {
            return Err(ImportError::NoGit { path: path.to_owned(), source: None });
        }
        Err(error) => return Err(error),
    }
    let mut header = BundleHeader::default();
    loop {
        next(&mut line)?;
        match line.first() {
            None => return Ok(header),
            Some(b'@') => check_capability(path, &line[1..])?,
            Some(b'-') => {
                let id = line.get(1..41).and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
                header.needs.push(id.ok_or_else(|| broken("what it rests on is no commit"))?);
            }
            Some(_) => {
                let id = line.get(..40).and_then(|id| std::str::from_utf8(id).ok()?.parse::<GitId>().ok());
                let name = line.get(41..).filter(|name| !name.is_empty());
                let (Some(target), Some(name)) = (id, name) else {
                    return Err(broken("a name in it is none"));
                };
                if name == b"HEAD" {
                    header.head = Some(target);
                } else {
                    header.refs.push(SourceRef { name: name.to_vec(), target });
                }
            }
        }
    }
}

fn check_capability(path: &Path, capability: &[u8]) -> Result<(), ImportError> {
    let text = String::from_utf8_lossy(capability).into_owned();
    match text.split_once('=') {
        Some(("object-format", "sha1")) => Ok(()),
        Some(("object-format", format)) => {
            Err(ImportError::ObjectFormat { path: path.to_owned(), format: format.to_owned() })
        }
        // Blobs were left out on purpose: they are missing like those of a partial clone.
        Some(("filter", _)) => Ok(()),
        _ => Err(ImportError::Bundle {
            path: path.to_owned(),
            reason: format!("it needs {text:?}, which is unknown"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<BundleHeader, ImportError> {
        read_bundle_header(Path::new("b"), &mut text.as_bytes())
    }

    #[test]
    fn bundle_headers_are_read_and_refused() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let read =
            header(&format!("# v2 git bundle\n{id} HEAD\n{id} refs/heads/main\n\nPACK")).expect("a header");
        assert_eq!(
            head_name(&read.refs, read.head.expect("a head")).as_deref(),
            Some(&b"refs/heads/main"[..])
        );
        let thin = header(&format!("# v2 git bundle\n-{id} x\n\n")).expect("a header");
        assert_eq!(thin.needs.len(), 1);
        let sha256 = header("# v3 git bundle\n@object-format=sha256\n\n");
        assert!(matches!(sha256, Err(ImportError::ObjectFormat { .. })));
        assert!(matches!(header("# v9 git bundle\n\n"), Err(ImportError::Bundle { .. })));
        assert!(matches!(header("GIF89a\n"), Err(ImportError::NoGit { .. })));
        assert!(matches!(header("# v2 git bundle\nxyz\n"), Err(ImportError::Bundle { .. })));
    }
}
