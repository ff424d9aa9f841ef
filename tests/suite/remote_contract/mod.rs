//! The contract of remotes as a program: every form passes the same tests, faults included.

mod care;
mod cases;
#[cfg(feature = "cloud")]
mod cloud;
mod cost;
mod crowd;
mod faults;
mod hostile;
pub mod http;
mod lines;
mod mending;
pub mod pipe;
mod put_back;
pub mod ssh;
#[cfg(feature = "cloud")]
mod stopped;

use crate::app_flow::Lab;
use pentimento::base::id::{CommitId, RepositoryId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::{Clock as _, Timestamp};
use pentimento::object::chunker::ChunkerParameters;
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::store::bucket::{Bucket, FolderBucket, MemoryBucket};
use pentimento::sync::SyncError;
use pentimento::sync::accept::NoRules;
use pentimento::sync::bucket::BucketRemote;
use pentimento::sync::fetch::{Fetch, Fetched};
use pentimento::sync::push::{Moved, Push};
use pentimento::sync::remote::{RefChange, Remote};
use pentimento::sync::served::ServedRemote;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The repository that all labs are clones of.
pub const REPOSITORY: RepositoryId = RepositoryId::from_bytes([1; 16]);

/// A place where a remote is: opened anew by each client.
pub trait Place: Send + Sync {
    fn open(&self) -> Box<dyn Remote + '_>;
}

/// A remote in a bucket.
pub struct BucketPlace {
    pub bucket: Arc<dyn Bucket>,
    _folder: Option<tempfile::TempDir>,
}

impl BucketPlace {
    /// Begins a remote in a bucket.
    pub fn begin(bucket: Arc<dyn Bucket>) -> Self {
        Self::begin_in(bucket, None)
    }

    fn begin_in(bucket: Arc<dyn Bucket>, folder: Option<tempfile::TempDir>) -> Self {
        let place = Self { bucket, _folder: folder };
        let created = place.remote().create(REPOSITORY, ChunkerParameters::default(), "nonce");
        created.expect("a new remote");
        place
    }

    pub fn remote(&self) -> BucketRemote {
        BucketRemote::new(self.bucket.clone(), "the bucket".to_owned(), None)
    }

    pub fn memory() -> Self {
        Self::begin(Arc::new(MemoryBucket::new()))
    }

    pub fn folder() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bucket = FolderBucket::create(&folder.path().join("nas")).expect("a folder");
        Self::begin_in(Arc::new(bucket), Some(folder))
    }
}

impl Place for BucketPlace {
    fn open(&self) -> Box<dyn Remote + '_> {
        Box::new(self.remote())
    }
}

/// A repository that serves as a remote, as it does behind a server.
pub struct ServedPlace(Lab);

impl ServedPlace {
    pub fn new() -> Self {
        Self(served_lab())
    }

    /// Serves what a lab has.
    pub const fn of(lab: Lab) -> Self {
        Self(lab)
    }
}

/// A lab that others push to: its worktree shows nothing.
pub fn served_lab() -> Lab {
    let lab = Lab::new();
    let mut edit = lab.repository.edit().expect("an edit");
    let mut state = edit.state().expect("a state");
    state.sparse = Some(std::collections::BTreeSet::new());
    edit.put_state(&state).expect("a state");
    edit.commit().expect("kept");
    lab
}

impl Place for ServedPlace {
    fn open(&self) -> Box<dyn Remote + '_> {
        Box::new(ServedRemote::new(&self.0.repository, &NoRules, self.0.clock.now()))
    }
}

/// Random bytes that name a publication.
pub fn token() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut token = [0; 16];
    token[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    token
}

pub fn branch(name: &str) -> RefName {
    RefName::branch(name).expect("a branch")
}

/// The newest commit of a lab.
pub fn head(lab: &Lab) -> CommitId {
    lab.repository.view().expect("a view").head().expect("a state").expect("a commit")
}

/// Pushes a lab's newest commit to a branch of a remote, wherever that is now.
pub fn push_to(lab: &Lab, remote: &dyn Remote, name: &str) -> Result<Moved, SyncError> {
    let expected = remote.describe()?.refs.get(&branch(name)).map(|target| target.commit);
    push_from(lab, remote, name, expected)
}

/// Pushes a lab's newest commit to a branch of a remote that is believed to be at `expected`.
pub fn push_from(
    lab: &Lab,
    remote: &dyn Remote,
    name: &str,
    expected: Option<CommitId>,
) -> Result<Moved, SyncError> {
    let description = remote.describe()?;
    let change = RefChange { name: branch(name), expected, target: Some(RefTarget::plain(head(lab))) };
    let push = Push {
        repository: &lab.repository,
        remote,
        known: Vec::new(),
        changes: vec![change],
        logs: Vec::new(),
        also: Vec::new(),
        log_objects: Vec::new(),
        notes: lab.repository.pent_dir().join("remotes/test"),
        token: token(),
    };
    push.run(description, &SilentMonitor).map(|(moved, _)| moved)
}

/// Fetches everything.
pub fn fetch_from(lab: &Lab, remote: &dyn Remote) -> Result<Fetched, SyncError> {
    let fetch = Fetch {
        repository: &lab.repository,
        remote,
        name: "origin",
        content: true,
        judge: &NoRules,
        also: Vec::new(),
        now: Timestamp { unix_ms: 1_772_382_000_000, offset_minutes: 0 },
    };
    fetch.run(&SilentMonitor)
}

/// Where a lab saw a branch of the remote.
pub fn seen(lab: &Lab, name: &str) -> Option<CommitId> {
    let name = RefName::remote("origin", &branch(name)).expect("a name");
    lab.repository.view().expect("a view").reference(&name).expect("a ref").map(|target| target.commit)
}

/// Checks that everything that a fresh clone got from the remote is there and sound.
pub fn assert_sound(lab: &Lab) {
    use pentimento::app::fsck;
    let options = fsck::Options::default();
    let report = fsck::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a check");
    let text = serde_json::to_string(&report).expect("a report");
    assert!(report.sound, "{text}");
}

/// A fresh clone of the remote, checked.
pub fn clone_of(place: &dyn Place) -> Lab {
    let lab = Lab::new();
    fetch_from(&lab, &*place.open()).expect("a fetch");
    assert_sound(&lab);
    lab
}

/// Hands every case of the contract to a macro: the one list of them.
macro_rules! with_every_case {
    ($what:ident $($first:tt)*) => {
        $what! {
            $($first)*
            what_is_pushed_comes_back_whole
            nothing_shows_before_it_is_published
            a_name_moves_only_from_where_it_is
            a_publication_counts_once_however_often_it_is_told
            what_the_remote_has_is_not_sent_again
            histories_that_parted_come_back_both
            a_question_about_what_is_not_there_is_answered_with_no
            a_push_that_was_stopped_goes_on_where_it_was
            many_small_files_and_one_large_one
            whoever_says_what_time_it_is_never_goes_back
            a_tombstone_that_came_first_keeps_no_content_away
        }
    };
}

/// A test of each case, against a form.
macro_rules! a_test_each {
    (($place:expr) $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                cases::$case(&$place);
            }
        )*
    };
}

/// The cases as a list, for forms that take long to begin.
#[cfg(feature = "cloud")]
macro_rules! a_list {
    ($($case:ident)*) => { &[$(cases::$case),*] };
}

/// Every case.
#[cfg(feature = "cloud")]
pub const CASES: &[fn(&dyn Place)] = with_every_case!(a_list);

/// Runs every case of the contract against a form.
macro_rules! contract {
    ($form:ident, $place:expr) => {
        mod $form {
            use super::*;

            with_every_case!(a_test_each($place));
        }
    };
}

contract!(folder, BucketPlace::folder());
contract!(memory, BucketPlace::memory());
contract!(served, ServedPlace::new());
contract!(over_pipes, pipe::PipePlace::new());
contract!(over_ssh, ssh::SshPlace::new());
contract!(over_http, http::HttpPlace::new());
