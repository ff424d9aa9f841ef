//! `show`: one commit with what it changed, or one asset as some revision has it.

use crate::app::common::content::StoredContent;
use crate::app::common::describe::{CommitLine, Describer, EntryLine, PersonLine, TimeLine};
use crate::app::common::field_value;
use crate::app::common::lineage::{CopyLine, copies};
use crate::app::common::locate::{Located, locate, locate_version};
use crate::app::common::on_demand::file_of;
use crate::app::common::problem::ProblemLine;
use crate::app::common::signatures::SignatureJudge;
use crate::app::diff::{self, Detail};
use crate::app::error::AppError;
use crate::app::meta::FieldLine;
use crate::app::tag::TagLine;
use crate::base::id::{CommitId, GitId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::{Clock, Timestamp};
use crate::object::manifest::ChunkList;
use crate::object::metadata::FieldName;
use crate::object::source::ObjectSource;
use crate::object::tree::Content;
use crate::object::tree_walk::TreeWalk;
use crate::repo::history::first_parent_back;
use crate::repo::imports::git_tag_target;
use crate::repo::refs::RefKind;
use crate::repo::revision::candidate_names;
use crate::repo::versions::{AssetChange, asset_line, version_count};
use crate::repo::{RepoError, Repository, View};
use crate::rules::keyring::Keyring;
use serde::Serialize;
use std::collections::BTreeMap;

/// Most changed assets whose version numbers are found out.
const NUMBERED_ASSETS_MAX: usize = 200;
/// Most steps from a commit to its parent that are made to find out version numbers, over all
/// assets: about two seconds.
const NUMBERING_STEPS_MAX: usize = 40_000;

/// What to show.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which commit or asset.
    pub subject: Subject,
    /// How much to say about what a commit changed.
    pub detail: Detail,
    /// Only what a commit changed at or below these paths; everything when empty.
    pub paths: Vec<AssetPath>,
    /// Unchanged lines shown around a change of text.
    pub context_lines: u32,
    /// Say who signed, by these keys.
    pub keyring: Option<Keyring>,
}

/// What people point at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The commit that a revision expression names; the current branch's newest when `None`.
    Commit(Option<String>),
    /// What stands at a path, in a revision or in the current branch's newest commit.
    Asset {
        /// Where.
        path: AssetPath,
        /// In which revision.
        revision: Option<String>,
    },
    /// A version of an asset of the current branch.
    Version {
        /// Where the asset stands or last stood.
        path: AssetPath,
        /// The number of the version, from 1.
        version: u64,
    },
}

/// The Git commit that a commit was made from, or the annotated Git tag that a tag was: byte for byte.
pub fn original(
    repository: &Repository,
    revision: Option<&str>,
    clock: &dyn Clock,
) -> Result<Vec<u8>, AppError> {
    let view = repository.view()?;
    let text = revision.unwrap_or("@");
    for name in candidate_names(text) {
        if view.reference(&name)?.is_some() {
            if let Some(bytes) = view.git_tag_original(&name)? {
                return Ok(bytes);
            }
            break;
        }
    }
    if let Ok(id) = text.parse::<GitId>()
        && let Some(tag) = view.git_object(id)?.filter(|bytes| git_tag_target(bytes).is_some())
    {
        return Ok(tag);
    }
    let commit = view.resolve(text, clock.now())?.commit;
    view.git_original(commit)?.ok_or_else(|| AppError::NoOriginal { text: text.to_owned() })
}

/// What is shown. Serialised, it is what `pent show --json` prints.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "subject", rename_all = "kebab-case")]
pub enum Report {
    /// A commit.
    Commit(Box<CommitReport>),
    /// An asset.
    Asset(Box<AssetReport>),
}

/// A commit and what it changed.
#[derive(Debug, Clone, Serialize)]
pub struct CommitReport {
    /// The commit.
    pub commit: CommitLine,
    /// Who put it on record and when, where that is not the author at that moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committer: Option<SignatureLine>,
    /// The state it made.
    pub tree: TreeId,
    /// The tag by whose name it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagLine>,
    /// What it differs from: its first parent, or nothing.
    pub against: Option<CommitId>,
    /// What it changed there, like `files` of `pent diff`, with version numbers while the commit
    /// changes at most 200 assets and the history is not too long.
    #[serde(flatten)]
    pub changes: Changes,
}

/// What a commit changed.
#[derive(Debug, Clone, Serialize)]
pub struct Changes {
    /// One entry for each asset.
    pub files: Vec<diff::FileDiff>,
    /// Sums over all of them.
    pub totals: diff::Totals,
    /// Paths that could not be compared, each with its reason.
    pub problems: Vec<ProblemLine>,
}

/// A person and a moment.
#[derive(Debug, Clone, Serialize)]
pub struct SignatureLine {
    /// Who.
    pub person: PersonLine,
    /// When.
    pub time: TimeLine,
}

/// An asset as one commit has it.
#[derive(Debug, Clone, Serialize)]
pub struct AssetReport {
    /// Where it stands and what it is. Of a file, `file` is what `b3sum` prints.
    #[serde(flatten)]
    pub entry: EntryLine,
    /// The commit that was asked about.
    pub at: CommitId,
    /// The number of this version; `None` for folders and for content that is not here.
    pub version: Option<u64>,
    /// How many versions the asset has up to that commit.
    pub versions: u64,
    /// The commit that made it what it is.
    pub commit: Option<CommitLine>,
    /// What it was copied from when it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<CopyLine>,
    /// Its metadata.
    pub fields: BTreeMap<FieldName, FieldLine>,
    /// Of how many chunks a file consists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunks: Option<u64>,
    /// How much of its bytes the version before has too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedLine>,
    /// What a folder holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderLine>,
}

/// How much a version has in common with the one before.
#[derive(Debug, Clone, Serialize)]
pub struct SharedLine {
    /// The number of that version.
    pub version: u64,
    /// Bytes in chunks that it has too.
    pub bytes_shared: u64,
    /// Bytes in chunks that it does not have.
    pub bytes_new: u64,
}

/// What a folder holds, at any depth.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct FolderLine {
    /// Files and links.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Bytes of all files and links.
    pub bytes: u64,
}

/// Shows.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let view = repository.view()?;
    let shown = Showing { repository, view: &view, options, monitor };
    match &options.subject {
        Subject::Commit(revision) => shown.commit(revision.as_deref(), clock.now()),
        Subject::Asset { path, revision } => {
            shown.asset(locate(&view, revision.as_deref(), path, clock.now())?)
        }
        Subject::Version { path, version } => shown.asset(locate_version(&view, path, *version)?),
    }
}

struct Showing<'a> {
    repository: &'a Repository,
    view: &'a View,
    options: &'a Options,
    monitor: &'a dyn Monitor,
}

impl<'a> Showing<'a> {
    fn describer(&self) -> Result<Describer<'a>, AppError> {
        let describer = Describer::new(self.view)?;
        let repository = self.repository.id();
        Ok(match &self.options.keyring {
            Some(keyring) => describer.with_signatures(SignatureJudge::new(repository, keyring)),
            None => describer,
        })
    }

    fn commit(&self, revision: Option<&str>, now: Timestamp) -> Result<Report, AppError> {
        let id = self.view.resolve(revision.unwrap_or("@"), now)?.commit;
        let commit = self.view.commit(id)?;
        let mut describer = self.describer()?;
        let tag = revision.map(|text| self.tag(text, &mut describer)).transpose()?.flatten();
        let options = diff::Options {
            paths: self.options.paths.clone(),
            detail: self.options.detail,
            context_lines: self.options.context_lines,
            ..diff::Options::default()
        };
        let compared = diff::of_commit(self.repository, self.view, id, &options, self.monitor)?;
        let mut files = compared.files;
        let against = commit.parents.first().copied();
        self.number(&mut files, id, against)?;
        let mut copied = copies(self.view, &commit)?;
        for file in files.iter_mut().filter(|file| file.before.is_none()) {
            file.copied_from = file.asset.and_then(|asset| copied.remove(&asset));
        }
        let mut committer = None;
        if commit.committer != commit.author {
            let person = describer.person(commit.committer.person)?;
            committer = Some(SignatureLine { person, time: commit.committer.time.into() });
        }
        Ok(Report::Commit(Box::new(CommitReport {
            commit: describer.commit(id, &commit)?,
            committer,
            tree: commit.tree,
            tag,
            against,
            changes: Changes { files, totals: compared.totals, problems: compared.problems },
        })))
    }

    /// The tag that `text` is the name of, unless a branch or draft is called so.
    fn tag(&self, text: &str, describer: &mut Describer<'_>) -> Result<Option<TagLine>, AppError> {
        for name in candidate_names(text) {
            if let Some(target) = self.view.reference(&name)? {
                let is_tag = name.kind() == RefKind::Tag;
                return if is_tag { TagLine::of(&name, target, describer).map(Some) } else { Ok(None) };
            }
        }
        Ok(None)
    }
}

/// Version numbers.
impl Showing<'_> {
    /// Finds out which versions of their assets a commit's changes are, unless that takes long.
    fn number(
        &self,
        files: &mut [diff::FileDiff],
        id: CommitId,
        against: Option<CommitId>,
    ) -> Result<(), AppError> {
        let steps_max = NUMBERING_STEPS_MAX / files.len().max(1);
        if files.len() > NUMBERED_ASSETS_MAX || first_parent_back(self.view, id, steps_max as u64)?.is_some()
        {
            return Ok(());
        }
        for file in files {
            if self.monitor.is_cancelled() {
                return Err(AppError::Cancelled);
            }
            let line = self.line(id, &file.path)?;
            let newest = line.first();
            if file.after.is_some() {
                file.version_after = newest.and_then(version_of);
            }
            let Some(before) = &file.before else { continue };
            // Where this commit itself made the last change, the change before it tells; after a
            // merge or a replacement the asset's line is another than its parent's.
            let continues = newest.is_some_and(|change| change.id == id && change.before.is_some());
            file.version_before = match (continues, against) {
                (true, _) => line.get(1).and_then(version_of),
                (false, Some(parent)) => self.line(parent, &before.path)?.first().and_then(version_of),
                (false, None) => None,
            };
        }
        Ok(())
    }

    fn line(&self, tip: CommitId, path: &AssetPath) -> Result<Vec<AssetChange>, AppError> {
        Ok(asset_line(self.view, tip, path).map_err(RepoError::from)?)
    }
}

fn version_of(change: &AssetChange) -> Option<u64> {
    Some(change.version).filter(|version| *version > 0)
}

/// One asset.
impl Showing<'_> {
    fn asset(&self, located: Located) -> Result<Report, AppError> {
        let line = self.line(located.commit, &located.path)?;
        let metadata = located.entry.metadata.map(|id| self.view.metadata(id)).transpose()?;
        let fields = metadata.unwrap_or_default().fields.into_iter();
        let mut describer = self.describer()?;
        let newest = line.first();
        Ok(Report::Asset(Box::new(AssetReport {
            entry: EntryLine::new(&located.path, &located.entry),
            at: located.commit,
            version: newest.and_then(version_of),
            versions: version_count(&line),
            copied_from: self.copied_from(&located, &line)?,
            commit: newest.map(|change| describer.commit(change.id, &change.commit)).transpose()?,
            fields: fields
                .map(|(name, value)| (name, FieldLine { text: field_value::show(&value), value }))
                .collect(),
            chunks: self.chunks(&located.entry.content)?,
            shared: self.shared(&located.entry.content, &line)?,
            folder: match located.entry.content {
                Content::Directory { id } => Some(self.folder(id)?),
                _ => None,
            },
        })))
    }

    /// What the asset was copied from by the commit that began it.
    fn copied_from(&self, located: &Located, line: &[AssetChange]) -> Result<Option<CopyLine>, AppError> {
        let began = line.last().filter(|change| change.before.is_none());
        let (Some(began), Some(asset)) = (began, located.entry.asset) else { return Ok(None) };
        Ok(copies(self.view, &began.commit)?.remove(&asset))
    }

    fn chunks(&self, content: &Content) -> Result<Option<u64>, AppError> {
        let Some((file, size)) = file_of(content) else { return Ok(None) };
        if !self.view.has_content(file, size)? {
            return Ok(None);
        }
        Ok(Some(match self.view.manifest(file)?.map(|manifest| manifest.chunks) {
            Some(ChunkList::Here(entries)) => entries.len() as u64,
            Some(ChunkList::InNodes { chunks, .. }) => chunks,
            None => u64::from(size > 0),
        }))
    }

    /// Compares with the newest version before that has other content.
    fn shared(&self, content: &Content, line: &[AssetChange]) -> Result<Option<SharedLine>, AppError> {
        let Some(file) = content.file_id() else { return Ok(None) };
        let before = line.iter().skip(1).find_map(|change| {
            let content = &change.after.as_ref()?.entry.content;
            content.file_id().filter(|other| *other != file).map(|_| (change.version, content.clone()))
        });
        let Some((version, before)) = before else { return Ok(None) };
        for content in [&before, content] {
            // What is elsewhere is not brought for a number.
            if let Some((file, size)) = file_of(content)
                && !self.view.has_content(file, size)?
            {
                return Ok(None);
            }
        }
        let stored = StoredContent::new(self.repository, self.view, self.monitor)?;
        let compared = diff::bytes_between(self.view, &stored.extractor(), &before, content)?;
        Ok(compared.map(|diff| SharedLine {
            version,
            bytes_shared: diff.bytes_shared,
            bytes_new: diff.bytes_after.saturating_sub(diff.bytes_shared),
        }))
    }

    fn folder(&self, tree: TreeId) -> Result<FolderLine, AppError> {
        let mut line = FolderLine::default();
        for item in TreeWalk::new(self.view, tree, AssetPath::root()) {
            if self.monitor.is_cancelled() {
                return Err(AppError::Cancelled);
            }
            let (_, entry) = item.map_err(RepoError::from)?;
            match entry.content.size() {
                Some(size) => {
                    line.files += 1;
                    line.bytes = line.bytes.saturating_add(size);
                }
                None => line.folders += 1,
            }
        }
        Ok(line)
    }
}
