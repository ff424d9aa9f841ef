//! `verify`: who made commits, with which keys, and what is missing for them to count.

mod export;
mod landings;

use crate::app::common::describe::{CommitLine, Describer};
use crate::app::common::locate::locate_version;
use crate::app::common::signatures::{SignatureJudge, SignatureLine, SignatureState, keep_findings};
use crate::app::error::AppError;
use crate::app::verify::export::Export;
use crate::app::verify::landings::Landings;
use crate::base::id::{CommitId, PersonId};
use crate::base::local_path::LocalPath;
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::commit::Commit;
use crate::object::source::ObjectSource;
use crate::repo::history::Walk;
use crate::repo::versions::asset_line;
use crate::repo::{RepoError, Repository, View};
use crate::rules::keyring::Keyring;
use rayon::prelude::*;
use serde::Serialize;
use std::path::PathBuf;

/// Commits whose signatures are verified at a time, on all cores.
const BATCH: usize = 4096;

/// What to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// One commit; the newest of the current branch when `None`.
    Commit(Option<String>),
    /// The commits that the second revision has and the first has not.
    Range {
        /// Leave out what this one has.
        except: String,
        /// Up to this one; the newest of the current branch when `None`.
        until: Option<String>,
    },
    /// Everything that the current branch's newest commit descends from, itself included.
    All,
    /// The commit that made an asset what it is.
    Asset(AssetPath),
    /// The commit that made a version of an asset.
    Version(AssetPath, u64),
}

/// What to verify, and by which keys.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which commits.
    pub subject: Subject,
    /// Whose keys are known.
    pub keyring: Keyring,
    /// Write what a stranger needs to check it into this folder, which must be new or empty.
    pub export: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// One entry for each commit, the newest first.
    pub commits: Vec<CommitCheck>,
    /// Sums over all of them.
    pub totals: Totals,
    /// The folder that everything was written into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exported: Option<LocalPath>,
}

/// How many commits came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Everything about them is in order.
    pub good: u64,
    /// Something is missing: nobody signed, or nobody whose key counts.
    pub missing: u64,
    /// Something is wrong: a signature that does not hold.
    pub wrong: u64,
}

/// What is known of one commit.
#[derive(Debug, Clone, Serialize)]
pub struct CommitCheck {
    /// The commit with its signatures.
    #[serde(flatten)]
    pub commit: CommitLine,
    /// How it comes out, the worst of its parts.
    pub outcome: Outcome,
    /// What was looked at, one after the other.
    pub parts: Vec<Part>,
}

impl CommitCheck {
    /// Whether a protected branch has it by an entry of the shared log, which was judged.
    pub fn is_landed(&self) -> bool {
        self.parts.iter().any(|part| part.entry.is_some() && part.outcome == Outcome::Good)
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What: `signature`; `author` when others signed and whoever made it did not; `landing` for how a
    /// protected branch got it, and who approved that.
    pub topic: &'static str,
    /// How it comes out.
    pub outcome: Outcome,
    /// The same as a sentence without its full stop.
    pub sentence: String,
    /// The entry of the shared log by which a protected branch got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
}

/// How something comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// In order.
    Good,
    /// Not enough.
    Missing,
    /// Not true.
    Wrong,
}

/// Verifies commits.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let view = repository.view()?;
    let landings = Landings::of(repository, &view, clock, monitor)?;
    let judge = SignatureJudge::new(repository.id(), &options.keyring);
    // Names that come along with commits are signed by nobody: people are called as the policy calls them.
    let mut describer = Describer::new(&view)?.with_roll(landings.roll());
    let mut report = Report { commits: Vec::new(), totals: Totals::default(), exported: None };
    monitor.phase(Phase { name: "Verifying", files_total: None, bytes_total: None });
    let begin = |folder: &PathBuf| Export::begin(folder, &options.keyring);
    let mut export = options.export.as_ref().map(begin).transpose()?;
    let mut rest = subjects(&view, &options.subject, clock)?;
    loop {
        let batch: Vec<(CommitId, Commit)> = rest.by_ref().take(BATCH).collect::<Result<_, _>>()?;
        if batch.is_empty() {
            break;
        }
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        let judged: Vec<Result<_, AppError>> =
            batch.par_iter().map(|(id, _)| judge.judged(&view, *id)).collect();
        let mut fresh = Vec::new();
        for ((id, commit), judged) in batch.iter().zip(judged) {
            let (signatures, new) = judged?;
            fresh.extend(new);
            let line = CommitLine { signatures, ..describer.commit(*id, commit)? };
            let author = author_part(commit, &mut describer)?;
            report.add(line, author, landing_part(&landings, &options.subject, *id, commit)?);
            if let Some(export) = &mut export {
                export.commit(&view, *id, commit, &options.keyring)?;
            }
        }
        keep_findings(repository, &fresh);
        monitor.advance(Advance { files: batch.len() as u64, ..Advance::default() });
    }
    if let Some(export) = export {
        report.exported = Some(export.finish()?.into());
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, commit: CommitLine, author: Author, landing: Option<Part>) {
        let parts = std::iter::once(signature_part(&commit.signatures));
        let parts: Vec<Part> = parts.chain(author.part(&commit.signatures)).chain(landing).collect();
        let outcome = parts.iter().map(|part| part.outcome).max().unwrap_or(Outcome::Missing);
        match outcome {
            Outcome::Good => self.totals.good += 1,
            Outcome::Missing => self.totals.missing += 1,
            Outcome::Wrong => self.totals.wrong += 1,
        }
        self.commits.push(CommitCheck { commit, outcome, parts });
    }
}

/// What the shared log says of a commit: of one that was asked for alone, how the branch got it; of an asset, who
/// approved that.
fn landing_part(
    landings: &Landings<'_>,
    subject: &Subject,
    id: CommitId,
    commit: &Commit,
) -> Result<Option<Part>, AppError> {
    let said = landings.part(id, commit)?;
    let asset = match subject {
        Subject::Range { .. } | Subject::All => return Ok(said),
        Subject::Commit(_) => None,
        Subject::Asset(path) | Subject::Version(path, _) => Some(path),
    };
    match said {
        Some(part) if part.outcome != Outcome::Good || asset.is_none() => Ok(Some(part)),
        said => Ok(landings.arrival(id, asset)?.or(said)),
    }
}

/// Whoever made a commit.
struct Author {
    people: [PersonId; 2],
    name: String,
}

fn author_part(commit: &Commit, describer: &mut Describer<'_>) -> Result<Author, AppError> {
    let line = describer.person(commit.author.person)?;
    let name = line.name.unwrap_or_else(|| line.id.short());
    Ok(Author { people: [commit.author.person, commit.committer.person], name })
}

impl Author {
    /// Says so when only others vouch for a commit: that somebody made it is then what it says itself.
    fn part(&self, signatures: &[SignatureLine]) -> Option<Part> {
        let good = signatures.iter().filter(|line| line.state == SignatureState::Good);
        let mut good = good.filter_map(|line| line.person).peekable();
        good.peek()?;
        if good.any(|person| self.people.contains(&person)) {
            return None;
        }
        let sentence = format!("{}, who made it by what it says, did not sign it", self.name);
        Some(Part { topic: "author", outcome: Outcome::Missing, sentence, entry: None })
    }
}

type Commits<'a> = Box<dyn Iterator<Item = Result<(CommitId, Commit), RepoError>> + 'a>;

fn subjects<'a>(view: &'a View, subject: &Subject, clock: &dyn Clock) -> Result<Commits<'a>, AppError> {
    let named = |text: &Option<String>| view.resolve(text.as_deref().unwrap_or("@"), clock.now());
    Ok(match subject {
        Subject::Commit(text) => {
            let id = named(text)?.commit;
            let commit = view.commit(id)?;
            Box::new(std::iter::once(Ok((id, commit))))
        }
        Subject::Range { except, until } => {
            let mut walk = Walk::from(view, [named(until)?.commit])?;
            walk.hide(view.resolve(except, clock.now())?.commit)?;
            Box::new(walk)
        }
        Subject::All => Box::new(Walk::from(view, view.head()?)?),
        Subject::Asset(path) => {
            let head = view.head()?.ok_or(RepoError::NoCommits)?;
            let line = asset_line(view, head, path).map_err(RepoError::from)?;
            let newest = line.into_iter().next();
            let newest = newest.ok_or_else(|| AppError::NotInRevision { path: path.clone() })?;
            Box::new(std::iter::once(Ok((newest.id, newest.commit))))
        }
        Subject::Version(path, version) => {
            let id = locate_version(view, path, *version)?.commit;
            let commit = view.commit(id)?;
            Box::new(std::iter::once(Ok((id, commit))))
        }
    })
}

/// One good signature is enough; one that does not hold is a sign that somebody tried.
fn signature_part(signatures: &[SignatureLine]) -> Part {
    let (outcome, sentence) = match signatures.first() {
        None => (Outcome::Missing, "nobody signed it".to_owned()),
        Some(best) => {
            let outcome = match best.state {
                SignatureState::Good => Outcome::Good,
                SignatureState::Bad => Outcome::Wrong,
                SignatureState::Unknown | SignatureState::Expired | SignatureState::Revoked => {
                    Outcome::Missing
                }
            };
            let sentences: Vec<&str> = signatures.iter().map(|line| line.sentence.as_str()).collect();
            (outcome, sentences.join("; "))
        }
    };
    Part { topic: "signature", outcome, sentence, entry: None }
}
