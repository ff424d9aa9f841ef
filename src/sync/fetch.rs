//! Fetching: takes in what the names of a remote reach, and then notes where they point.
//!
//! ```text
//! describe -> history (bundles) -> walk: what is missing? -> by key, until nothing is
//!          -> chunks of the new files -> files confirmed -> commits stored
//!          -> review log -> shared log verified, rules asked -> names noted
//! ```
//!
//! Whatever has come stays when the process ends; the next fetch asks only for the rest.

mod bring;

pub use bring::{Taken, fetch_content, receive_content};

use crate::base::id::{CommitId, FileId};
use crate::base::monitor::{Monitor, Phase};
use crate::base::time::Timestamp;
use crate::repo::edit::JournalNote;
use crate::repo::journal::FETCH_VERB;
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::repo::shared_log::commits_judged_by;
use crate::repo::withheld::Withheld;
use crate::repo::{Edit, RepoError, Repository, View};
use crate::rules::approval::Recorded;
use crate::rules::pattern::Pattern;
use crate::store::Space;
use crate::sync::accept::{Case, Decision, Judge, is_forward, move_name};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::listed::Listed;
use crate::sync::logs::{Inbox, LogExchange, LogFound, LogsFetched};
use crate::sync::paths::{each_file, is_hidden};
use crate::sync::receive::Receiver;
use crate::sync::remote::{Description, HistoryWants, ObjectKey, RefChange, Remote};
use crate::sync::tracking::{RemoteRecord, put_remote_record, remote_record};
use crate::sync::walk::{Found, NewFile};
use bring::{excuse, groups, insist_on_content, insist_on_none};
use serde::Serialize;
use std::collections::HashSet;

/// How often what is missing is asked for before the remote counts as incomplete: the deepest tree,
/// and then some.
const ROUNDS_MAX: usize = 600;

/// Files of which is kept in mind at a time whether one may read them.
const FILES_AT_A_TIME: usize = 4 << 20;

/// Why a name stays where it was seen last.
const PUT_BACK: &str = "the remote was put back to an earlier state, or begun anew: what it had is kept here, and \
                        `pent push` gives it back";

/// What to fetch.
pub struct Fetch<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// Where from.
    pub remote: &'a dyn Remote,
    /// What this repository calls it.
    pub name: &'a str,
    /// Whether the content of the files comes along.
    pub content: bool,
    /// The rules that names must keep to.
    pub judge: &'a dyn Judge,
    /// Commits that are wanted although no name may lead to them.
    pub also: Vec<CommitId>,
    /// When it is.
    pub now: Timestamp,
}

/// What came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Commits that are new here.
    pub commits: u64,
    /// Files that are new here.
    pub assets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of content that were here already.
    pub bytes_shared: u64,
    /// Bytes of blocks and bundles that came.
    pub bytes_received: u64,
    /// Bytes of content that stayed on the remote until somebody asks for it.
    pub bytes_left: u64,
    /// Files whose content the remote withholds: they stand at paths that one may not read there.
    pub withheld: u64,
    /// Files that were withheld before and are not any more: their content has come.
    pub released: u64,
    /// Of the paths that the worktree stands on, those that were withheld and are not any more.
    pub released_paths: u64,
    /// Names that moved.
    pub moved: Vec<MovedName>,
    /// Names that were not taken over, and why.
    pub refused: Vec<RefusedName>,
    /// What came of logs.
    pub logs: LogsFetched,
}

impl Fetched {
    /// Adds what came with another fetch right after.
    pub fn add(&mut self, more: Self) {
        self.commits += more.commits;
        self.assets += more.assets;
        self.bytes += more.bytes;
        self.bytes_shared += more.bytes_shared;
        self.bytes_received += more.bytes_received;
        self.bytes_left += more.bytes_left;
        self.withheld += more.withheld;
        self.released += more.released;
        self.released_paths += more.released_paths;
        self.moved.extend(more.moved);
        self.refused = more.refused;
        self.logs.add(more.logs);
    }
}

/// A name of the remote that points elsewhere than when it was seen last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedName {
    /// The name as the remote has it.
    pub name: RefName,
    /// Where it was seen last.
    pub before: Option<CommitId>,
    /// Where it points.
    pub after: Option<CommitId>,
}

/// A name that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedName {
    /// The name as the remote has it.
    pub name: RefName,
    /// Why not.
    pub reasons: Vec<String>,
}

impl Fetch<'_> {
    /// Fetches.
    pub fn run(&self, monitor: &dyn Monitor) -> SyncResult<Fetched> {
        monitor.phase(Phase { name: "Asking the remote", files_total: None, bytes_total: None });
        let description = self.remote.describe()?;
        self.run_from(&description, monitor)
    }

    /// Fetches from a remote that has described itself.
    pub fn run_from(&self, description: &Description, monitor: &dyn Monitor) -> SyncResult<Fetched> {
        if description.repository != self.repository.id() {
            return Err(SyncError::OtherRepository {
                expected: self.repository.id(),
                found: description.repository,
            });
        }
        let exchange = LogExchange {
            repository: self.repository,
            remote: self.remote,
            description,
            judge: self.judge,
            monitor,
        };
        let logs_differ = exchange.differ()? && !description.logs.is_empty();
        let view = self.repository.view()?;
        let wants = self.wants(&view, description)?;
        let mut fetched = Fetched::default();
        let mut inbox = if wants.is_empty() && !logs_differ {
            Inbox::for_fetch()
        } else {
            self.receive(&view, description, wants, &mut fetched, monitor)?
        };
        self.settle_withheld(description, &mut fetched, monitor)?;
        monitor.phase(Phase { name: "Verifying signatures", files_total: None, bytes_total: None });
        let (theirs, log, bytes) = exchange.receive(&mut inbox, &mut fetched.logs)?;
        fetched.bytes_received += bytes;
        self.receive_judged(&log, description, &mut fetched, monitor)?;
        self.note_names(description, &log, &mut fetched)?;
        exchange.receive_later(&theirs, &mut inbox, &mut fetched.logs)?;
        Ok(fetched)
    }

    /// Brings the commits that entries of the shared log speak of and no name reaches any more: without them
    /// nobody could judge whether the entries are right.
    fn receive_judged(
        &self,
        log: &LogFound,
        description: &Description,
        fetched: &mut Fetched,
        monitor: &dyn Monitor,
    ) -> SyncResult<()> {
        let LogFound::Log(arrival) = log else { return Ok(()) };
        let view = self.repository.view()?;
        let mut wants = Vec::new();
        for commit in commits_judged_by(&arrival.entries) {
            if !view.snapshot().contains(Space::Commits, commit.as_bytes())? {
                wants.push(commit);
            }
        }
        if wants.is_empty() {
            return Ok(());
        }
        let mut more = Fetched::default();
        match self.receive(&view, description, wants, &mut more, monitor) {
            Ok(_) => fetched.add(more),
            // What a remote does not have it cannot give: the log is then judged without it, and refused.
            Err(SyncError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn receive(
        &self,
        view: &View,
        description: &Description,
        wants: Vec<CommitId>,
        fetched: &mut Fetched,
        monitor: &dyn Monitor,
    ) -> SyncResult<Inbox> {
        let mut receiver = Receiver::new(self.repository, Inbox::for_fetch(), monitor)?;
        let mut received = 0;
        let record = remote_record(view, self.name)?;
        let since = record.filter(|record| record.epoch == description.epoch).and_then(|record| record.mark);
        // A remote that was put back counts again from where it was then.
        let since = since.filter(|mark| *mark <= description.mark);
        let haves = view.references()?.into_iter().map(|(_, target)| target.commit).collect();
        monitor.phase(Phase { name: "Receiving history", files_total: None, bytes_total: None });
        let history = HistoryWants { wants: wants.clone(), haves, since, logs: view.log_heads()? };
        self.remote.fetch_history(&history, &mut |bundle| {
            received += bundle.len() as u64;
            receiver.take_bundle(bundle)
        })?;
        let found = self.complete(&mut receiver, &wants, description, &mut received, monitor)?;
        receiver.keep_only(&found.commits);
        for files in found.files.blocks() {
            receiver.check_sizes(&files?)?;
        }
        let tied = receiver.tied_files(&found)?;
        fetched.commits = found.commits.len() as u64;
        fetched.assets = found.files.len() as u64;
        fetched.bytes = found.file_bytes;
        if self.content {
            received += self.receive_files(&mut receiver, &found, description, fetched, monitor)?;
        } else {
            fetched.bytes_left = fetched.bytes;
        }
        if !tied.is_empty() {
            // What foreign content is can only be believed after hashing it.
            let taken = receive_content(self.remote, &mut receiver, &tied, description, monitor)?;
            received += taken.bytes_received;
            let wrong = receiver.confirm(&tied)?;
            let lacking = excuse(self.remote, &mut receiver, wrong)?;
            if description.hidden.is_empty() {
                insist_on_none(&lacking)?;
            }
        }
        fetched.bytes_received = received;
        let mut edit = self.repository.edit()?;
        receiver.store_commits(&mut edit)?;
        receiver.store_ties(&mut edit, &found)?;
        // What was withheld before still is not here, and what is withheld now has not come.
        let mut withheld = view.withheld_by(self.name)?;
        withheld.extend(
            description.hidden.iter().filter(|new| !withheld.contains(new)).cloned().collect::<Vec<_>>(),
        );
        edit.set_withheld(view, self.name, &withheld)?;
        edit.commit()?;
        Ok(receiver.into_inbox())
    }

    /// Brings the content of new files, as far as one may read it there. Gives how many bytes came.
    fn receive_files(
        &self,
        receiver: &mut Receiver<'_>,
        found: &Found,
        description: &Description,
        fetched: &mut Fetched,
        monitor: &dyn Monitor,
    ) -> SyncResult<u64> {
        let mut received = 0;
        let sizes = (found.files.len() as u64, fetched.bytes);
        let readable = readable_files(receiver, found, &description.hidden, monitor)?;
        let files = readable.as_ref().unwrap_or(&found.files);
        fetched.withheld = (found.files.len() - files.len()) as u64;
        // Group by group, so that what is to be asked for fits into memory however much is new.
        for block in files.blocks() {
            for group in groups(&block?) {
                monitor.phase(phase("Receiving", sizes));
                let taken = receive_content(self.remote, receiver, group, description, monitor)?;
                fetched.bytes_shared += taken.bytes_shared;
                received += taken.bytes_received;
                monitor.phase(phase("Checking", sizes));
                insist_on_content(self.remote, receiver, group)?;
            }
        }
        Ok(received)
    }

    /// Brings what the remote does not withhold any more, and remembers what it does.
    fn settle_withheld(
        &self,
        description: &Description,
        fetched: &mut Fetched,
        monitor: &dyn Monitor,
    ) -> SyncResult<()> {
        let view = self.repository.view()?;
        let (before, now) = (view.withheld_by(self.name)?, &description.hidden);
        if before == *now {
            return Ok(());
        }
        if self.content && before.iter().any(|pattern| !now.contains(pattern)) {
            let files = released(&view, before, now)?;
            fetched.released = files.len() as u64;
            for group in groups(&files) {
                let mut receiver = Receiver::new(self.repository, Inbox::for_fetch(), monitor)?;
                let taken = receive_content(self.remote, &mut receiver, group, description, monitor)?;
                fetched.bytes_received += taken.bytes_received;
                insist_on_content(self.remote, &mut receiver, group)?;
            }
        }
        // The worktree's state is noted in passing, so nobody else may be about to write it.
        let lock = self.repository.store().lock_worktree(monitor)?;
        let mut edit = self.repository.edit()?;
        fetched.released_paths = edit.set_withheld(&self.repository.view()?, self.name, now)?;
        edit.commit()?;
        drop(lock);
        Ok(())
    }

    /// The commits that the remote's names point to, or that were asked for, and that are not here.
    fn wants(&self, view: &View, description: &Description) -> SyncResult<Vec<CommitId>> {
        let mut wants = Vec::new();
        for commit in description.refs.values().map(|target| target.commit).chain(self.also.iter().copied()) {
            if !view.snapshot().contains(Space::Commits, commit.as_bytes())? && !wants.contains(&commit) {
                wants.push(commit);
            }
        }
        Ok(wants)
    }

    /// Asks by key for what the history left out, until nothing is missing.
    fn complete(
        &self,
        receiver: &mut Receiver<'_>,
        wants: &[CommitId],
        description: &Description,
        received: &mut u64,
        monitor: &dyn Monitor,
    ) -> SyncResult<Found> {
        monitor.phase(Phase { name: "Looking for what is new", files_total: None, bytes_total: None });
        // What was asked for last: whatever came before that is here, or was missing then.
        let mut asked: HashSet<ObjectKey> = HashSet::new();
        let mut rounds = 0;
        while rounds < ROUNDS_MAX {
            receiver.settle()?;
            let found = receiver.find_new(wants)?;
            if found.missing.is_empty() {
                return Ok(found);
            }
            if let Some(key) = found.missing.iter().find(|key| asked.contains(key)) {
                return Err(SyncError::Missing { kind: key.kind.name(), id: key.id_text() });
            }
            asked.clear();
            asked.extend(found.missing.iter().copied());
            // Of very much that is missing only a part is told, and what is not will be in the next round.
            rounds += usize::from(!found.is_cut_short());
            for keys in found.missing.chunks(description.limits.keys()) {
                self.remote.fetch_objects(keys, &mut |bundle| {
                    *received += bundle.len() as u64;
                    receiver.take_bundle(bundle)
                })?;
            }
        }
        Err(SyncError::Invalid { what: "a history", detail: "it is deeper than any can be".to_owned() })
    }

    /// Notes where the remote's names point: branches beside ours, tags among ours where their names
    /// are free; and takes its shared log over. What the rules forbid is not taken over.
    fn note_names(&self, description: &Description, log: &LogFound, fetched: &mut Fetched) -> SyncResult<()> {
        let view = self.repository.view()?;
        let record = remote_record(&view, self.name)?;
        let put_back = record.as_ref().is_some_and(|record| record.was_put_back(description));
        let (places, changes) = self.changes(&view, description)?;
        let decision = self.judge.judge(&view, &Case { remote: Some(self.name), changes: &changes, log })?;
        let Decision { mut refused, recorded, keep, entries, problem, note } = decision;
        let mut edit = self.repository.edit()?;
        if let Some(keep) = keep {
            keep(&mut edit)?;
        }
        (fetched.logs.entries, fetched.logs.problem, fetched.logs.note) = (entries, problem, note);
        let mut went_back = false;
        for (here, RefChange { name, expected: before, target }) in places.iter().zip(changes) {
            let mut reasons = refused.remove(&name).unwrap_or_default();
            let after = target.as_ref().map(|target| target.commit);
            let goes_back = !is_forward(&view, before, after)?;
            if put_back && goes_back && reasons.is_empty() {
                reasons.push(PUT_BACK.to_owned());
            }
            if reasons.is_empty() {
                let kept = target.map(|target| kept(&name, &target));
                match move_name(&mut edit, recorded.as_ref(), here, before, kept) {
                    Err(error @ (RepoError::Protected { .. } | RepoError::NotAuthorised { .. })) => {
                        reasons.push(error.to_string());
                    }
                    outcome => outcome?,
                }
            }
            if reasons.is_empty() {
                went_back |= goes_back;
                fetched.moved.push(MovedName { name, before, after });
            } else {
                fetched.refused.push(RefusedName { name, reasons });
            }
        }
        if let Some(recorded) = &recorded {
            follow(&mut edit, &view, recorded, description)?;
        }
        if went_back {
            // What only that name led to is kept as long as the journal is.
            let summary = format!("fetched from {}, where names went back or away", self.name);
            edit.record(JournalNote { verb: FETCH_VERB, summary, ..JournalNote::default() }, self.now)?;
        }
        // The mark of one that was put back stays what it was until it is there again.
        if let Some(record) = record.filter(|_| !put_back) {
            let (mark, epoch) = (Some(description.mark), description.epoch);
            put_remote_record(&mut edit, self.name, Some(&RemoteRecord { mark, epoch, ..record }))?;
        }
        Ok(edit.commit()?)
    }
}

impl Fetch<'_> {
    /// The names of the remote that point elsewhere than when they were seen last, each with the name
    /// under which that is kept here.
    fn changes(&self, view: &View, description: &Description) -> SyncResult<(Vec<RefName>, Vec<RefChange>)> {
        let (mut places, mut changes) = (Vec::new(), Vec::new());
        for (name, target) in &description.refs {
            let Some(here) = here(self.name, name)? else { continue };
            let before = view.reference(&here)?.map(|target| target.commit);
            if before == Some(target.commit) || (before.is_some() && name.kind() == RefKind::Tag) {
                continue;
            }
            places.push(here);
            changes.push(RefChange { name: name.clone(), expected: before, target: Some(target.clone()) });
        }
        for (here, target) in view.references()? {
            let Some((remote, branch)) = here.remote_parts() else { continue };
            let name = RefName::branch(branch)?;
            if remote == self.name && !description.refs.contains_key(&name) {
                changes.push(RefChange { name, expected: Some(target.commit), target: None });
                places.push(here);
            }
        }
        Ok((places, changes))
    }
}

/// Brings protected names here to where the shared log says that they stand: tags, and branches that
/// nobody is on and that have nothing of their own.
fn follow(edit: &mut Edit, view: &View, recorded: &Recorded, description: &Description) -> SyncResult<()> {
    let current = edit.state().ok().map(|state| state.branch);
    for (name, _) in view.references()? {
        let is_gone = name.kind() == RefKind::Tag && recorded.reference(name.as_str()).is_none();
        if is_gone && edit.protected_names()?.covers(&name) {
            edit.follow_log(recorded, &name, None)?;
        }
    }
    for (name, commit) in recorded.references() {
        let name = RefName::parse(name)?;
        let here = edit.reference(&name)?.map(|target| target.commit);
        let is_known = view.snapshot().contains(Space::Commits, commit.as_bytes())?;
        if here == Some(*commit) || !is_known {
            continue;
        }
        let follows = match (name.kind(), here) {
            (RefKind::Tag, _) => true,
            (_, Some(here)) => {
                current.as_ref() != Some(&name) && is_forward(view, Some(here), Some(*commit))?
            }
            (_, None) => false,
        };
        if follows {
            let theirs = description.refs.get(&name).filter(|target| target.commit == *commit);
            let target = theirs.cloned().unwrap_or_else(|| RefTarget::plain(*commit));
            edit.follow_log(recorded, &name, Some(target))?;
        }
    }
    Ok(())
}

fn phase(name: &'static str, (files, bytes): (u64, u64)) -> Phase {
    Phase { name, files_total: Some(files), bytes_total: Some(bytes) }
}

/// The name under which a name of a remote is kept; `None` for names that are nobody else's business.
fn here(remote: &str, name: &RefName) -> SyncResult<Option<RefName>> {
    match name.kind() {
        RefKind::Branch => Ok(Some(RefName::remote(remote, name)?)),
        RefKind::Tag => Ok(Some(name.clone())),
        RefKind::Remote => Ok(None),
    }
}

fn kept(name: &RefName, target: &RefTarget) -> RefTarget {
    match name.kind() {
        RefKind::Tag => target.clone(),
        RefKind::Branch | RefKind::Remote => RefTarget::plain(target.commit),
    }
}

/// The files that were withheld, are not any more, and are not here.
fn released(view: &View, before: Vec<Pattern>, now: &[Pattern]) -> SyncResult<Vec<NewFile>> {
    let (before, now) = (Withheld::from(before), Withheld::from(now.to_vec()));
    let tips: Vec<CommitId> = view.references()?.into_iter().map(|(_, target)| target.commit).collect();
    let mut files = Vec::new();
    for (id, size) in view.files_ever_at(tips, &|path| before.covers(path) && !now.covers(path))? {
        if !view.has_content(id, size)? {
            files.push(NewFile { id, size, before: None });
        }
    }
    files.sort_unstable_by_key(|file| file.id);
    Ok(files)
}

/// The new files without those that stand only at paths whose content is withheld; `None` where nothing is.
///
/// Of very many files, the folders are gone through once for each part of them, so that memory does not grow.
fn readable_files(
    receiver: &Receiver<'_>,
    found: &Found,
    hidden: &[Pattern],
    monitor: &dyn Monitor,
) -> SyncResult<Option<Listed<NewFile>>> {
    if hidden.is_empty() {
        return Ok(None);
    }
    let mut files = found.files.beside();
    let parts = found.files.len().div_ceil(FILES_AT_A_TIME).max(1) as u64;
    for part in 0..parts {
        let is_of_part = |id: &FileId| in_part(id, parts) == part;
        let (mut shown, mut withheld) = (HashSet::new(), HashSet::new());
        let stop = || if monitor.is_cancelled() { Err(SyncError::Cancelled) } else { Ok(()) };
        for id in &found.commits {
            each_file(&receiver.source(), *id, &mut || stop(), &mut |placed| {
                if is_of_part(&placed.file) {
                    let group = if is_hidden(hidden, &placed.path) { &mut withheld } else { &mut shown };
                    group.insert(placed.file);
                }
                Ok(())
            })?;
        }
        for block in found.files.blocks() {
            let is_readable = |file: &&NewFile| shown.contains(&file.id) || !withheld.contains(&file.id);
            let of_part = block?;
            of_part
                .iter()
                .filter(|file| is_of_part(&file.id))
                .filter(is_readable)
                .for_each(|file| files.push(*file));
        }
    }
    Ok(Some(files))
}

/// The part, of so many, that a file is in.
fn in_part(id: &FileId, parts: u64) -> u64 {
    let [first, second, ..] = *id.as_bytes();
    (u64::from(first) << 8 | u64::from(second)) % parts
}
