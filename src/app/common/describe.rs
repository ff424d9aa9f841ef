//! Commits and entries in the form in which reports show them.

use crate::app::common::signatures::{SignatureJudge, SignatureLine};
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId, FileId, GitId, MetadataId, PersonId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::import::git::lfs::Hex;
use crate::object::commit::Commit;
use crate::object::tree::{Content, ForeignAlgorithm, TreeEntry};
use crate::repo::git_ids::git_id_of;
use crate::repo::refs::RefName;
use crate::repo::{RepoError, View};
use serde::Serialize;
use std::collections::HashMap;

/// Who did something, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonLine {
    /// The opaque id.
    pub id: PersonId,
    /// The name; `None` when the record was erased or never came along.
    pub name: Option<String>,
    /// The address; `None` when there is none.
    pub email: Option<String>,
}

/// A moment, exact and as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimeLine {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: i64,
    /// RFC 3339 in the zone in which it was noted.
    pub text: String,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}

impl From<Timestamp> for TimeLine {
    fn from(time: Timestamp) -> Self {
        Self { unix_ms: time.unix_ms, text: time.rfc3339(), offset_minutes: time.offset_minutes }
    }
}

/// A commit as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommitLine {
    /// Its id.
    pub id: CommitId,
    /// Its parents' ids.
    pub parents: Vec<CommitId>,
    /// Who made the change.
    pub author: PersonLine,
    /// When it was made.
    pub time: TimeLine,
    /// The whole message.
    pub message: String,
    /// The id of the Git commit that it was made from, when it came from Git.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<GitId>,
    /// Branches and tags that point at it.
    pub names: Vec<RefName>,
    /// Who signed it, where somebody did and that was looked at; the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<SignatureLine>,
}

/// An entry as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryLine {
    /// Where it stands.
    pub path: AssetPath,
    /// `file`, `directory`, `symlink`, `foreign` (a file whose content is known only by another system's hash)
    /// or `submodule` (a commit of another Git repository).
    pub kind: &'static str,
    /// The hash by which foreign content, or the commit of a submodule, is known, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign: Option<String>,
    /// The file id; `None` for folders and foreign entries.
    pub file: Option<FileId>,
    /// Size in bytes; `None` for folders.
    pub size: Option<u64>,
    /// Whether it may be run.
    pub executable: bool,
    /// Which asset it is.
    pub asset: Option<AssetId>,
    /// Its metadata.
    pub metadata: Option<MetadataId>,
}

impl EntryLine {
    /// Describes an entry that stands at `path`.
    pub fn new(path: &AssetPath, entry: &TreeEntry) -> Self {
        Self::of(path, entry.asset, entry.metadata, &entry.content)
    }

    /// Describes what stands at `path`, given in parts.
    pub fn of(
        path: &AssetPath,
        asset: Option<AssetId>,
        metadata: Option<MetadataId>,
        content: &Content,
    ) -> Self {
        let (kind, executable) = match content {
            Content::File { executable, .. } => ("file", *executable),
            Content::Directory { .. } => ("directory", false),
            Content::Symlink { .. } => ("symlink", false),
            Content::Foreign { algorithm: ForeignAlgorithm::GitCommitSha1, .. } => ("submodule", false),
            Content::Foreign { executable, .. } => ("foreign", *executable),
        };
        let foreign = match content {
            Content::Foreign { digest, .. } => Some(Hex(digest).to_string()),
            _ => None,
        };
        Self {
            path: path.clone(),
            kind,
            foreign,
            file: content.file_id(),
            size: content.size().filter(|_| kind != "submodule"),
            executable,
            asset,
            metadata,
        }
    }
}

/// Turns commits into lines; remembers people and names so that each is looked up once.
pub struct Describer<'a> {
    view: &'a View,
    people: HashMap<PersonId, PersonLine>,
    names: HashMap<CommitId, Vec<RefName>>,
    judge: Option<SignatureJudge<'a>>,
    roll: Option<HashMap<PersonId, String>>,
}

impl<'a> Describer<'a> {
    /// Prepares to describe commits of one state of the repository.
    pub fn new(view: &'a View) -> Result<Self, AppError> {
        let mut names: HashMap<CommitId, Vec<RefName>> = HashMap::new();
        for (name, target) in view.references()? {
            names.entry(target.commit).or_default().push(name);
        }
        Ok(Self { view, people: HashMap::new(), names, judge: None, roll: None })
    }

    /// Looks at signatures too.
    pub fn with_signatures(mut self, judge: SignatureJudge<'a>) -> Self {
        self.judge = Some(judge);
        self
    }

    /// Calls people as the policy does, and says of others that it does not know them: their names are
    /// what they say themselves.
    pub fn with_roll(mut self, roll: Option<HashMap<PersonId, String>>) -> Self {
        self.roll = roll;
        self
    }

    /// Describes a person.
    pub fn person(&mut self, id: PersonId) -> Result<PersonLine, RepoError> {
        if let Some(known) = self.people.get(&id) {
            return Ok(known.clone());
        }
        let record = self.view.person(id)?;
        let said = record.as_ref().map(|person| person.name.clone());
        let name = match self.roll.as_ref().map(|roll| roll.get(&id)) {
            None => said,
            Some(Some(name)) => Some(name.clone()),
            Some(None) => {
                let said = said.filter(|name| !name.is_empty()).unwrap_or_else(|| id.short());
                Some(format!("{said} (not in the policy)"))
            }
        };
        let line = PersonLine {
            id,
            name,
            email: record.map(|person| person.email).filter(|email| !email.is_empty()),
        };
        self.people.insert(id, line.clone());
        Ok(line)
    }

    /// Describes a commit.
    pub fn commit(&mut self, id: CommitId, commit: &Commit) -> Result<CommitLine, AppError> {
        Ok(CommitLine {
            id,
            parents: commit.parents.clone(),
            author: self.person(commit.author.person)?,
            time: commit.author.time.into(),
            message: commit.message.clone(),
            git: git_id_of(commit),
            names: self.names.get(&id).cloned().unwrap_or_default(),
            signatures: self.judge.map_or_else(|| Ok(Vec::new()), |judge| judge.lines(self.view, id))?,
        })
    }
}
