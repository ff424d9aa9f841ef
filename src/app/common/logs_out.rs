//! What of the logs goes along with a push: first what the remote has and this clone does not is taken
//! in, then what it lacks is found.

use crate::app::common::rules::Rules;
use crate::app::error::AppError;
use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::object::log_entry::SignedEntry;
use crate::repo::sets::SHARED_LOG;
use crate::repo::shared_log::{LogHead, commits_judged_by};
use crate::repo::{Repository, View};
use crate::store::Space;
use crate::sync::SyncError;
use crate::sync::accept::{Case, Judge};
use crate::sync::logs::{Inbox, LogExchange, LogFound, LogsFetched};
use crate::sync::remote::{Description, Kind, LogChange, ObjectKey, Remote};

/// Logs that are to move on a remote, and the objects for that.
#[derive(Debug, Default)]
pub struct LogsOut {
    /// The heads.
    pub changes: Vec<LogChange>,
    /// The objects.
    pub objects: Vec<ObjectKey>,
    /// What came from the remote.
    pub fetched: LogsFetched,
    /// The newest entry of the shared log that the remote will have.
    pub head: Option<LogHead>,
    /// Commits that its new entries speak of.
    pub commits: Vec<CommitId>,
}

/// How the logs of a remote stand to those that are here.
#[derive(Debug)]
pub enum Compared {
    /// This can be pushed.
    Ready(Box<LogsOut>),
    /// Its shared log has entries that are not here: everything is to be fetched first.
    FetchFirst,
}

/// A remote whose logs are compared.
pub struct Comparing<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The remote.
    pub remote: &'a dyn Remote,
    /// What it said of itself.
    pub description: &'a Description,
    /// What the repository calls it; `None` for a place that it remembers nothing of.
    pub name: Option<&'a str>,
    /// The newest entry that the remote may get: all when `None`.
    pub up_to: Option<u64>,
}

impl Comparing<'_> {
    /// Takes in what the remote has, and finds what it lacks.
    ///
    /// # Errors
    /// [`SyncError::LogRefused`] when the remote's shared log cannot be trusted.
    pub fn run(&self, rules: &Rules, monitor: &dyn Monitor) -> Result<Compared, AppError> {
        let (repository, description) = (self.repository, self.description);
        let exchange = LogExchange { repository, remote: self.remote, description, judge: rules, monitor };
        let (mut inbox, mut out) = (Inbox::for_fetch(), LogsOut::default());
        let (theirs, found, _) = exchange.receive(&mut inbox, &mut out.fetched)?;
        if let LogFound::Log(arrival) = &found
            && !arrival.entries.is_empty()
        {
            return Ok(Compared::FetchFirst);
        }
        let case = Case { remote: self.name, changes: &[], log: &found };
        let decision = rules.judge(&repository.view()?, &case)?;
        if let Some(problem) = decision.problem {
            return Err(SyncError::LogRefused(problem).into());
        }
        if let Some(keep) = decision.keep.filter(|_| self.name.is_some()) {
            let mut edit = repository.edit()?;
            keep(&mut edit)?;
            edit.commit()?;
        }
        exchange.receive_later(&theirs, &mut inbox, &mut out.fetched)?;
        (out.changes, out.objects) = exchange.outgoing(&theirs)?;
        let common = match &found {
            LogFound::Log(arrival) => arrival.common,
            LogFound::Nothing | LogFound::Broken(_) => 0,
        };
        self.add_shared(&repository.view()?, common, &mut out)?;
        Ok(Compared::Ready(Box::new(out)))
    }

    /// The entries of the shared log that the remote lacks.
    fn add_shared(&self, view: &View, common: u64, out: &mut LogsOut) -> Result<(), AppError> {
        let newest = view.log_head()?.map_or(0, |head| head.sequence);
        let target = self.up_to.map_or(newest, |up_to| up_to.min(newest));
        let mut last: Option<SignedEntry> = None;
        for sequence in common + 1..=target {
            let Some(entry) = view.log_entry(sequence)? else { break };
            out.objects.push(ObjectKey::new(Kind::LogEntry, *entry.id().as_bytes()));
            for commit in commits_judged_by(std::slice::from_ref(&entry)) {
                if view.snapshot().contains(Space::Commits, commit.as_bytes())? {
                    out.commits.push(commit);
                }
            }
            last = Some(entry);
        }
        if let Some(entry) = last {
            let head = LogHead { sequence: target, id: entry.id() };
            out.head = Some(head);
            let expected = self.description.logs.get(SHARED_LOG).cloned();
            out.changes.push(LogChange { name: SHARED_LOG.to_owned(), expected, target: head.encode() });
        }
        Ok(())
    }
}
