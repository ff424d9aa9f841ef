//! `verify`: who made commits, with which keys, and what is missing for them to count.

mod export;

use crate::app::common::describe::{CommitLine, Describer};
use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::verified_log;
use crate::app::common::locate::locate_version;
use crate::app::common::signatures::{SignatureJudge, SignatureLine, SignatureState, keep_findings};
use crate::app::error::AppError;
use crate::app::review::log::{recorded_landing, submission_of};
use crate::app::verify::export::Export;
use crate::base::id::{CommitId, PersonId};
use crate::base::local_path::LocalPath;
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::commit::Commit;
use crate::object::log_entry::{LogDeed, LogEntry, Why};
use crate::object::source::ObjectSource;
use crate::repo::history::Walk;
use crate::repo::versions::asset_line;
use crate::repo::{RepoError, Repository, View};
use crate::rules::approval::{Received, listed};
use crate::rules::keyring::Keyring;
use crate::trust::chain::{Evidence as _, VerifiedLog};
use crate::trust::judge::{Proposal, approvals};
use rayon::prelude::*;
use serde::Serialize;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Commits whose signatures are verified at a time, on all cores.
const BATCH: usize = 4096;
/// Landings of which it is told who approved them.
const APPROVERS_MAX: usize = 200;

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

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What: `signature`; `author` when others signed and whoever made it did not; `landing` for what a
    /// submission brought.
    pub topic: &'static str,
    /// How it comes out.
    pub outcome: Outcome,
    /// The same as a sentence without its full stop.
    pub sentence: String,
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
    let mut describer = Describer::new(&view)?;
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
            report.add(line, author, landings.part(*id, commit, &mut describer)?);
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
        Some(Part { topic: "author", outcome: Outcome::Missing, sentence })
    }
}

/// What the shared log says of landings.
struct Landings<'a> {
    view: &'a View,
    log: VerifiedLog,
    evidence: RepositoryEvidence<'a>,
    told: Cell<usize>,
}

impl<'a> Landings<'a> {
    fn of(
        repository: &Repository,
        view: &'a View,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let log = verified_log(repository, view, clock.now(), monitor)?;
        let evidence = RepositoryEvidence::new(view, repository.id());
        Ok(Self { view, log, evidence, told: Cell::new(0) })
    }

    /// Whether a commit that says which submission it brought did so by an entry of the log, and by whose word.
    fn part(
        &self,
        id: CommitId,
        commit: &Commit,
        describer: &mut Describer<'_>,
    ) -> Result<Option<Part>, AppError> {
        let Some(submission) = submission_of(commit).filter(|_| self.log.head().is_some()) else {
            return Ok(None);
        };
        let recorded = self.log.landing(submission);
        let landed = recorded.map(|sequence| recorded_landing(self.view, sequence)).transpose()?.flatten();
        let (outcome, sentence) = match (recorded, landed) {
            (Some(sequence), Some(landed)) if landed.commit == id => {
                (Outcome::Good, self.sentence(sequence, describer)?)
            }
            (Some(sequence), _) => (
                Outcome::Wrong,
                format!(
                    "it says that it landed submission {}, which entry {sequence} landed",
                    submission.short()
                ),
            ),
            (None, _) => (
                Outcome::Good,
                format!("it landed submission {} where no policy asked for approvals", submission.short()),
            ),
        };
        Ok(Some(Part { topic: "landing", outcome, sentence }))
    }

    /// Says who approved what an entry landed, as far as it counted then.
    fn sentence(&self, sequence: u64, describer: &mut Describer<'_>) -> Result<String, AppError> {
        let told = self.told.replace(self.told.get() + 1);
        let approvers = if told < APPROVERS_MAX { self.approvers(sequence)? } else { None };
        let by = match approvers {
            None => "with the approvals that the policy asked for".to_owned(),
            Some(people) if people.is_empty() => "for which the policy asked nobody".to_owned(),
            Some(people) => {
                let mut names = Vec::new();
                for person in people {
                    names.push(describer.person(person)?.name.unwrap_or_else(|| person.short()));
                }
                format!("approved by {}", listed(&names))
            }
        };
        Ok(format!("entry {sequence} of the shared log has it, {by}; `pent certificate` proves it"))
    }

    /// The people whose approvals counted for what an entry landed; `None` when that cannot be told.
    fn approvers(&self, sequence: u64) -> Result<Option<BTreeSet<PersonId>>, AppError> {
        let Some(before) = self.log.before(self.view, sequence)? else { return Ok(None) };
        let Some(signed) = self.view.log_entry(sequence)? else { return Ok(None) };
        let Ok(entry) = LogEntry::decode(&signed.statement) else { return Ok(None) };
        let LogDeed::Move(moved) = &entry.deed else { return Ok(None) };
        let Why::Landing { submission } = moved.why else { return Ok(None) };
        let received = Received { sequence, unix_ms: entry.received_ms };
        let Ok(found) = self.evidence.of_move(&before, received, moved) else { return Ok(None) };
        let counted = approvals(
            &before,
            &Proposal {
                reference: &moved.reference,
                from: moved.from,
                to: moved.to,
                actor: None,
                at_ms: received.unix_ms,
                submission: Some(submission),
                evidence: &found,
            },
        );
        let person = |place: usize| found.votes[place].approval.value().person;
        Ok(Some(counted.into_iter().flatten().map(person).collect()))
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
    Part { topic: "signature", outcome, sentence }
}
