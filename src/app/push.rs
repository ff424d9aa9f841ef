//! `push`: gives one's work to a remote.

use crate::app::common::anew::{Anew, OpenSigning, renew_old, write_anew};
use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::{remember, trust, verified_log};
use crate::app::common::keep;
use crate::app::common::locks::{LockNotes, changed_of, moment_at, take_back};
use crate::app::common::logs_out::{Compared, Comparing, LogsOut};
use crate::app::common::read_only;
use crate::app::common::remotes::{OpenRemote, Reach, insist_on_ours, new_token, open_remote, sent_dir};
use crate::app::common::rules::Rules;
use crate::app::draft::find_branch;
use crate::app::error::AppError;
use crate::base::id::{CommitId, PersonId};
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::object::log_entry::{LockChanged, LockDeed, LogDeed};
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::repo::sets::SHARED_LOG;
use crate::repo::shared_log::LogHead;
use crate::repo::{Repository, View};
use crate::store::Space;
use crate::sync::SyncError;
use crate::sync::accept::{Case, Judge as _, insist, is_forward};
use crate::sync::fetch::Fetch;
use crate::sync::logs::{LogFound, LogsFetched};
use crate::sync::push::{Moved, Push};
use crate::sync::remote::{Description, Kind, LogChange, Published, RefChange};
use crate::sync::tracking::{RemoteRecord, put_remote_record, remote_record};
use crate::trust::chain::VerifiedLog;
use serde::Serialize;

/// How often a push begins anew because others were quicker.
const ATTEMPTS: u32 = 20;

/// What to push.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The remote; the one that is meant when `None`.
    pub remote: Option<String>,
    /// Branches, drafts and tags; the branch that one is on when empty.
    pub names: Vec<String>,
    /// All branches, drafts and tags.
    pub all: bool,
    /// Remove the names from the remote instead.
    pub delete: bool,
    /// Move names even when that takes commits off them, as long as nobody else moved them meanwhile.
    pub force: bool,
    /// Only say what would be sent.
    pub dry_run: bool,
    /// Leave names where they are, apart from those that the shared log moves.
    pub only_logs: bool,
    /// Hold on to one's locks, although the new versions get there.
    pub keep_locks: bool,
    /// Whoever pushes.
    pub person: Option<PersonId>,
}

/// What was pushed, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The remote.
    pub remote: String,
    /// Whether nothing was sent because only a preview was asked for.
    pub dry_run: bool,
    /// What was moved.
    #[serde(flatten)]
    pub moved: Moved,
    /// The names.
    pub names: Vec<NameLine>,
    /// What of the logs went along.
    pub logs: LogsPushed,
    /// What became of entries of the shared log that others were quicker than.
    pub anew: Anew,
}

/// What of the logs went along with a push.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogsPushed {
    /// Entries of the shared log.
    pub entries: u64,
    /// Actions of the review log.
    pub actions: u64,
    /// Signatures of commits.
    pub signatures: u64,
    /// Proposed policies.
    pub proposals: u64,
    /// What came from there on the way.
    pub fetched: LogsFetched,
}

impl LogsPushed {
    fn of(logs: &LogsOut) -> Self {
        let count = |kind| logs.objects.iter().filter(|key| key.kind == kind).count() as u64;
        Self {
            entries: count(Kind::LogEntry),
            actions: count(Kind::Action),
            signatures: count(Kind::CommitSignature),
            proposals: count(Kind::PolicyProposal),
            fetched: logs.fetched.clone(),
        }
    }
}

/// A name that moved on the remote.
#[derive(Debug, Clone, Serialize)]
pub struct NameLine {
    /// The name.
    pub name: String,
    /// `branch`, `draft` or `tag`.
    pub kind: &'static str,
    /// Where it pointed.
    pub before: Option<CommitId>,
    /// Where it points.
    pub after: Option<CommitId>,
}

/// Pushes. `signing` is asked for only when entries of the shared log have to be written anew;
/// `say_first` is told what will move before anything does.
pub fn run(
    repository: &Repository,
    options: &Options,
    signing: &OpenSigning<'_>,
    reach: &Reach,
    say_first: &mut dyn FnMut(&Moved),
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let opened = open_remote(repository, options.remote.as_deref(), reach)?;
    let mut anew = Anew::default();
    if !options.dry_run && up_to(&repository.view()?, &opened.name)?.is_none() {
        anew = renew_old(repository, signing, clock, monitor)?;
    }
    for _ in 0..ATTEMPTS {
        let description = opened.remote.describe()?;
        insist_on_ours(repository, description.repository)?;
        let now = clock.now();
        let moment = moment_at(&*opened.remote, &repository.view()?, now)?;
        let rules = Rules::of(repository, now).judging_locks_at(moment);
        let released = release(repository, &opened, options, &description, signing, clock, monitor)?;
        let comparing = Comparing {
            repository,
            remote: &*opened.remote,
            description: &description,
            name: Some(&opened.name),
            up_to: up_to(&repository.view()?, &opened.name)?,
        };
        let logs = match comparing.run(&rules, monitor)? {
            Compared::Ready(logs) => logs,
            Compared::FetchFirst if options.dry_run => return Err(behind()),
            Compared::FetchFirst => {
                take_over(repository, &opened, &rules, &description, clock, monitor)?;
                let again = write_anew(repository, signing, clock, monitor)?;
                anew.written += again.written;
                anew.given_up.extend(again.given_up);
                continue;
            }
        };
        let job = Job { repository, opened: &opened, options, rules: &rules };
        match job.push(description, *logs, say_first, clock, monitor) {
            // Others were quicker with what they signed: theirs and ours go together.
            Err(AppError::Sync(SyncError::LogMoved { .. })) => {}
            pushed => {
                if let (Err(_), Some(before)) = (&pushed, &released) {
                    // What did not get there is still locked.
                    take_back(repository, before, now, monitor)?;
                }
                read_only::follow(repository, monitor)?;
                let (moved, names, logs) = pushed?;
                let remote = opened.name.clone();
                return Ok(Report { remote, dry_run: options.dry_run, moved, names, logs, anew });
            }
        }
    }
    Err(SyncError::Busy { attempts: ATTEMPTS }.into())
}

fn behind() -> AppError {
    SyncError::LogMoved { name: SHARED_LOG.to_owned() }.into()
}

/// The newest entry of the shared log that a remote gets: at its home all, elsewhere those that its home
/// has.
fn up_to(view: &View, remote: &str) -> Result<Option<u64>, AppError> {
    match view.home_remote()? {
        Some(home) if home != remote => {
            let confirmed = view.confirmed_log()?.map(|bytes| VerifiedLog::restore(&bytes)).transpose()?;
            let head = confirmed.flatten().and_then(|log| log.head());
            Ok(Some(head.map_or(0, |head| head.sequence)))
        }
        _ => Ok(None),
    }
}

/// Takes over what the remote has of the shared log, with all that it rests on.
fn take_over(
    repository: &Repository,
    opened: &OpenRemote,
    rules: &Rules,
    description: &Description,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    let fetch = Fetch {
        repository,
        remote: &*opened.remote,
        name: &opened.name,
        content: !repository.view()?.is_lazy()?,
        judge: rules,
        also: Vec::new(),
        now: clock.now(),
    };
    match fetch.run_from(description, monitor)?.logs.problem {
        Some(problem) => Err(SyncError::LogRefused(problem).into()),
        None => Ok(()),
    }
}

/// Gives back the locks of assets whose new versions are about to get there. Gives the log as it was before
/// that, if any was given back.
fn release(
    repository: &Repository,
    opened: &OpenRemote,
    options: &Options,
    description: &Description,
    signing: &OpenSigning<'_>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Option<VerifiedLog>, AppError> {
    let view = repository.view()?;
    let is_home = view.home_remote()?.is_none_or(|home| home == opened.name);
    let Some(person) = options.person.filter(|_| is_home && !options.keep_locks && !options.dry_run) else {
        return Ok(None);
    };
    if LockNotes::read(&view)?.locks.is_empty() {
        return Ok(None);
    }
    let now = clock.now();
    let mut log = verified_log(repository, &view, now, monitor)?;
    let mut spent = Vec::new();
    for change in changes(&view, opened, options, description)? {
        let target = change.target.as_ref().map(|target| target.commit);
        if let Some(target) = target.filter(|_| change.name.kind() == RefKind::Branch) {
            spent.extend(changed_of(&view, &log, person, (change.expected, target))?);
        }
    }
    spent.sort_unstable();
    spent.dedup();
    if spent.is_empty() {
        return Ok(None);
    }
    let (signing, before) = (signing()?, log.clone());
    let mut entries = Vec::new();
    for asset in spent {
        let changed = LockChanged::ended(asset, LockDeed::Release, String::new());
        let entry = signing.writer().entry(&log, LogDeed::Lock(changed), now.unix_ms)?;
        let evidence = RepositoryEvidence::new(&view, repository.id());
        log = log.extended(&entry, &trust(repository, &view, now)?, &evidence)?;
        entries.push(entry);
    }
    let mut edit = repository.edit()?;
    for entry in &entries {
        edit.append_log(entry)?;
    }
    remember(&mut edit, &log)?;
    edit.commit()?;
    Ok(Some(before))
}

struct Job<'a> {
    repository: &'a Repository,
    opened: &'a OpenRemote,
    options: &'a Options,
    rules: &'a Rules,
}

impl Job<'_> {
    fn push(
        &self,
        description: Description,
        logs: LogsOut,
        say_first: &mut dyn FnMut(&Moved),
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<(Moved, Vec<NameLine>, LogsPushed), AppError> {
        let (repository, opened, options) = (self.repository, self.opened, self.options);
        let view = repository.view()?;
        let mut changes = changes(&view, opened, options, &description)?;
        if logs.head.is_some() {
            self.add_protected(&view, &description, logs.head, &mut changes, clock, monitor)?;
        }
        judge_all(&view, &changes, options, self.rules)?;
        let names = changes.iter().map(name_line).collect();
        let pushed = LogsPushed::of(&logs);
        let mut logs = logs;
        if logs.head.is_none() && !changes.is_empty() && !LockNotes::read(&view)?.locks.is_empty() {
            // Judged by the locks as they are at this head, and by no others.
            let same = description.logs.get(SHARED_LOG);
            logs.changes.extend(same.map(|head| LogChange {
                name: SHARED_LOG.to_owned(),
                expected: Some(head.clone()),
                target: head.clone(),
            }));
        }
        let push = Push {
            repository,
            remote: &*opened.remote,
            known: known(&view, &opened.name)?,
            changes,
            also: logs.commits,
            logs: logs.changes,
            log_objects: logs.objects,
            notes: sent_dir(repository.pent_dir(), &opened.name),
            token: new_token()?,
        };
        let moved = if push.is_empty() {
            Moved::default()
        } else if options.dry_run {
            push.measure(&description, monitor)?
        } else {
            let (moved, published) = push.run_saying(description, say_first, monitor)?;
            note_pushed(repository, opened, &push.changes, published)?;
            self.note_logs(logs.head, clock, monitor)?;
            keep::renew(repository, opened)?;
            moved
        };
        Ok((moved, names, pushed))
    }

    /// Protected names go with the entries that say where they stand.
    fn add_protected(
        &self,
        view: &View,
        description: &Description,
        head: Option<LogHead>,
        changes: &mut Vec<RefChange>,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<(), AppError> {
        if view.log_head()? != head {
            // Part of the log says where names stood, not where they stand.
            return Ok(());
        }
        let log = verified_log(self.repository, view, clock.now(), monitor)?;
        for (name, commit) in log.references() {
            let name = RefName::parse(name)?;
            let there = description.refs.get(&name).map(|target| target.commit);
            if there == Some(*commit) || changes.iter().any(|change| change.name == name) {
                continue;
            }
            let here = view.reference(&name)?.filter(|target| target.commit == *commit);
            let target = Some(here.unwrap_or_else(|| RefTarget::plain(*commit)));
            changes.push(RefChange { name, expected: there, target });
        }
        Ok(())
    }

    /// Remembers that the remote has the shared log, and that it is at home there if it was nowhere yet.
    fn note_logs(
        &self,
        head: Option<LogHead>,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<(), AppError> {
        let Some(head) = head else { return Ok(()) };
        let view = self.repository.view()?;
        let log = verified_log(self.repository, &view, clock.now(), monitor)?;
        let mut edit = self.repository.edit()?;
        edit.put_seen_log(&self.opened.name, head, clock.now().unix_ms)?;
        if log.head() == Some(head) {
            edit.put_confirmed_log(&log.checkpoint()?)?;
        }
        if view.home_remote()?.is_none() {
            edit.put_home_remote(Some(&self.opened.name))?;
        }
        Ok(edit.commit()?)
    }
}

/// The names that have to move on the remote.
fn changes(
    view: &View,
    opened: &OpenRemote,
    options: &Options,
    description: &Description,
) -> Result<Vec<RefChange>, AppError> {
    let mut changes = Vec::new();
    for (name, target) in wanted(view, &opened.name, options, description)? {
        let seen = view.reference(&seen_as(&opened.name, &name)?)?.map(|target| target.commit);
        let actual = description.refs.get(&name);
        if actual == target.as_ref() {
            continue;
        }
        if let Some(there) = actual.filter(|_| options.delete)
            && !view.snapshot().contains(Space::Commits, there.commit.as_bytes())?
        {
            // What others put there and nobody here has seen would go with the name.
            return Err(SyncError::Moved { name, expected: seen, actual: Some(there.commit) }.into());
        }
        // With force, a name moves only from where it was when its owner last looked.
        let expected = if options.force { seen } else { actual.map(|target| target.commit) };
        changes.push(RefChange { name, expected, target });
    }
    Ok(changes)
}

fn wanted(
    view: &View,
    remote: &str,
    options: &Options,
    description: &Description,
) -> Result<Vec<(RefName, Option<RefTarget>)>, AppError> {
    if options.only_logs {
        return Ok(Vec::new());
    }
    if options.delete && (options.all || options.names.is_empty()) {
        let reason = "name the branches, drafts and tags that are to go, one by one".to_owned();
        return Err(AppError::Setting { text: "push --delete".to_owned(), reason });
    }
    if options.all {
        let all = view.references()?.into_iter().filter(|(name, _)| name.kind() != RefKind::Remote);
        return Ok(all.map(|(name, target)| (name, Some(target))).collect());
    }
    if options.names.is_empty() {
        let branch = view.branch()?.clone();
        let target = view.reference(&branch)?.ok_or(crate::repo::RepoError::NoCommits)?;
        return Ok(vec![(branch, Some(target))]);
    }
    let mut wanted = Vec::new();
    for text in &options.names {
        let name =
            if options.delete { name_there(description, remote, text)? } else { name_here(view, text)? };
        let target = if options.delete { None } else { view.reference(&name)? };
        if target.is_some() || options.delete {
            wanted.push((name, target));
        }
    }
    Ok(wanted)
}

fn name_here(view: &View, text: &str) -> Result<RefName, AppError> {
    let tag = RefName::tag(text)?;
    match find_branch(view, text) {
        Err(AppError::NameUnknown { .. }) if view.reference(&tag)?.is_some() => Ok(tag),
        Err(AppError::NameUnknown { name, .. }) => {
            Err(AppError::NameUnknown { kind: "branch, draft or tag", name })
        }
        found => found,
    }
}

fn name_there(description: &Description, remote: &str, text: &str) -> Result<RefName, AppError> {
    let candidates = [RefName::branch(text)?, RefName::draft(text)?, RefName::tag(text)?];
    let found = candidates.into_iter().find(|name| description.refs.contains_key(name));
    found.ok_or_else(|| AppError::NameNotThere { name: text.to_owned(), remote: remote.to_owned() })
}

/// Where a name of the remote is kept here.
fn seen_as(remote: &str, name: &RefName) -> Result<RefName, AppError> {
    if name.kind() == RefKind::Branch { Ok(RefName::remote(remote, name)?) } else { Ok(name.clone()) }
}

/// Insists that no name loses commits, and that the rules allow every move.
fn judge_all(view: &View, changes: &[RefChange], options: &Options, rules: &Rules) -> Result<(), AppError> {
    for change in changes {
        let after = change.target.as_ref().map(|target| target.commit);
        let is_known = match change.expected {
            Some(before) => view.snapshot().contains(Space::Commits, before.as_bytes())?,
            None => true,
        };
        let moves_forward = is_known && is_forward(view, change.expected, after)?;
        if !moves_forward && !options.force && after.is_some() {
            return Err(SyncError::NotForward { name: change.name.clone() }.into());
        }
    }
    let case = Case { remote: None, changes, log: &LogFound::Nothing };
    Ok(insist(&rules.judge(view, &case)?)?)
}

/// Commits that the remote had when it was seen last.
fn known(view: &View, remote: &str) -> Result<Vec<CommitId>, AppError> {
    let all = view.references()?.into_iter();
    let of_remote = all.filter(|(name, _)| name.remote_parts().is_some_and(|(other, _)| other == remote));
    Ok(of_remote.map(|(_, target)| target.commit).collect())
}

fn name_line(change: &RefChange) -> NameLine {
    let kind = match change.name.kind() {
        RefKind::Tag => "tag",
        _ if change.name.is_draft() => "draft",
        _ => "branch",
    };
    NameLine {
        name: change.name.name().to_owned(),
        kind,
        before: change.expected,
        after: change.target.as_ref().map(|target| target.commit),
    }
}

/// Notes where the remote's names are now.
fn note_pushed(
    repository: &Repository,
    opened: &OpenRemote,
    changes: &[RefChange],
    published: Published,
) -> Result<(), AppError> {
    let mut edit = repository.edit()?;
    for change in changes.iter().filter(|change| change.name.kind() == RefKind::Branch) {
        let here = RefName::remote(&opened.name, &change.name)?;
        let before = edit.reference(&here)?.map(|target| target.commit);
        let target = change.target.as_ref().map(|target| RefTarget::plain(target.commit));
        edit.set_reference(&here, before, target)?;
    }
    if let Some(record) = remote_record(&repository.view()?, &opened.name)? {
        // When nobody else published since everything was fetched, the mark moves along.
        if published.follows.is_some_and(|before| before == record.mark.unwrap_or(0)) {
            let record = RemoteRecord { mark: Some(published.mark), ..record };
            put_remote_record(&mut edit, &opened.name, Some(&record))?;
        }
    }
    Ok(edit.commit()?)
}
