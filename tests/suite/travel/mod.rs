//! Trust travels: reviews, policies and signatures go with the work, and whoever fetches verifies.

/// Every story, wherever people meet.
macro_rules! everywhere {
    ($($story:ident)*) => {
        everywhere!(@form folder Folder $($story)*);
        everywhere!(@form http Http $($story)*);
        everywhere!(@form ssh Ssh $($story)*);
    };
    (@form $name:ident $form:ident $($story:ident)*) => {
        mod $name {
            $(
                #[test]
                fn $story() {
                    super::$story(super::Form::$form);
                }
            )*
        }
    };
}
/// Every attack, in a folder that strangers write into and on a server that looks at nothing.
macro_rules! untrusted {
    ($($attack:ident)*) => {
        everywhere!(@form folder Folder $($attack)*);
        everywhere!(@form careless Careless $($attack)*);
    };
}

mod careless;
mod hostile;
mod keeping_up;
pub mod locks;
mod logs;
mod moments;
mod signed;
mod stories;
mod strangers;

use self::careless::Careless;
use crate::remote_contract::http::TestServer;
use crate::review_kit::{House, Seconds, identity};
use crate::trust_kit::somebody;
use pentimento::app::common::guard::verified_log;
use pentimento::app::common::remotes::{Network, Reach, open_address};
use pentimento::app::common::signing::SigningAs;
use pentimento::app::error::AppError;
use pentimento::app::{clone, fetch, pull, push, remote};
use pentimento::base::id::{CommitId, PolicyId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::Clock as _;
use pentimento::repo::Repository;
use pentimento::repo::refs::RefName;
use pentimento::rules::access::Permission;
use pentimento::store::Access;
use pentimento::store::bucket::FolderBucket;
use pentimento::sync::address::Address;
use pentimento::sync::bucket::BucketRemote;
use pentimento::sync::remote::Remote;
use pentimento::sync::sign_in::Secret;
use pentimento::trust::chain::VerifiedLog;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// Where people meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A folder that they share.
    Folder,
    /// A server of ours.
    Http,
    /// A machine that they log in to: `pent serve --stdio`, without the encryption in between.
    Ssh,
    /// A server of somebody who looks at nothing, over HTTP.
    Careless,
}

/// The place where they meet.
pub struct Nas {
    pub folder: tempfile::TempDir,
    form: Form,
    server: Option<TestServer>,
    careless: Option<Careless>,
}

/// What opens the servers of this process: tokens, each for its host.
static TOKENS: Mutex<String> = Mutex::new(String::new());

/// The name of the repository on servers.
const PLACE: &str = "studio/brand";

/// How every place of a test is reached.
pub fn reach() -> Reach {
    let program = Path::new(env!("CARGO_BIN_EXE_pent")).parent().expect("a folder").display();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support/ssh_here.sh");
    let network = Network {
        tokens: Some(Secret::new(TOKENS.lock().expect("a lock").clone())),
        ssh: Some(format!("sh {script} {program}")),
        ..Network::default()
    };
    Reach { network, ..Reach::default() }
}

/// The same, with the true time at the other end of ssh.
pub fn reach_now() -> Reach {
    let mut reach = reach();
    reach.network.ssh = reach.network.ssh.map(|words| words.replace("ssh_here.sh", "ssh_now.sh"));
    reach
}

impl Nas {
    /// Says what time it is at the server.
    pub fn set_clock(&self, unix_ms: i64) {
        let server = self.server.as_ref().expect("a server of ours");
        server.clock.0.store(unix_ms, Ordering::Relaxed);
    }

    /// The remote as a client opens it.
    pub fn open(&self) -> Box<dyn Remote> {
        open_address(&self.address(), None, &reach()).expect("a remote")
    }

    pub fn of(form: Form) -> Self {
        // Later than all that people do.
        Self::of_time(form, 1_772_386_000_000)
    }

    /// The same; a server of ours has a clock of its own.
    pub fn of_time(form: Form, unix_ms: i64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut nas = Self { folder, form, server: None, careless: None };
        match form {
            Form::Folder => {}
            Form::Ssh => fs::create_dir_all(nas.path()).expect("a folder"),
            Form::Http => {
                let server = TestServer::start();
                server.clock.0.store(unix_ms, Ordering::Relaxed);
                let token =
                    server.token(PLACE, &[Permission::Read, Permission::Push, Permission::Begin], None);
                TOKENS.lock().expect("a lock").push_str(&format!("{token}@{} ", server.address));
                nas.server = Some(server);
            }
            Form::Careless => nas.careless = Some(Careless::start(&nas.path())),
        }
        nas
    }

    /// The folder that holds the remote.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(if self.form == Form::Ssh { "srv/brand" } else { "nas" })
    }

    pub fn address(&self) -> Address {
        let at = |address: SocketAddr| {
            Address::parse(&format!("http://{address}/{PLACE}"), Path::new("/")).expect("an address")
        };
        match (&self.server, &self.careless) {
            (Some(server), _) => at(server.address),
            (None, Some(careless)) => at(careless.address),
            (None, None) if self.form == Form::Ssh => {
                let text = format!("ssh://here{}", self.path().display());
                Address::parse(&text, Path::new("/")).expect("an address")
            }
            (None, None) => Address::Folder { path: self.path() },
        }
    }

    /// The remote in the folder, as whoever can write there has it.
    pub fn bucket(&self) -> BucketRemote {
        let bucket = FolderBucket::open(&self.path());
        BucketRemote::new(Arc::new(bucket), "the shared folder".into(), None)
    }

    /// A copy of everything in it.
    pub fn copy(&self) -> Nas {
        let copy = Nas::of(if self.careless.is_some() { Form::Careless } else { Form::Folder });
        copy_folder(&self.path(), &copy.path());
        copy
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Gives a house a remote, and all that it has.
pub fn share(house: &House, by: u8, nas: &Nas) {
    remote::add(&house.repository, "origin", &nas.address(), &reach()).expect("a remote");
    push_all(house, by);
}

pub fn try_clone(nas: &Nas, expected: Option<PolicyId>) -> Result<(House, clone::Report), AppError> {
    clone_as(nas, expected, false)
}

/// A clone that brings content when it is asked for, without the means to ask.
pub fn lazy_clone_of(nas: &Nas) -> House {
    clone_as(nas, None, true).expect("a clone").0
}

fn clone_as(nas: &Nas, expected: Option<PolicyId>, lazy: bool) -> Result<(House, clone::Report), AppError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clock = Seconds::from(1_772_382_000_000);
    let options = clone::Options {
        address: nas.address(),
        folder: folder.path().to_owned(),
        branch: None,
        expected,
        lazy,
        sparse: Vec::new(),
    };
    let report = clone::run(&options, &reach(), &clock, &SilentMonitor)?;
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a clone");
    Ok((House { folder, repository, clock, signs: Default::default() }, report))
}

pub fn clone_of(nas: &Nas) -> House {
    try_clone(nas, None).expect("a clone").0
}

fn signing(by: u8) -> Result<SigningAs, AppError> {
    let person = somebody(by);
    Ok(SigningAs { person: person.id, signer: Box::new(person.key) })
}

pub fn try_push(house: &House, by: u8, options: &push::Options) -> Result<push::Report, AppError> {
    push::run(
        &house.repository,
        options,
        &|| signing(by),
        &reach(),
        &mut |_| {},
        &house.clock,
        &SilentMonitor,
    )
}

pub fn push(house: &House, by: u8) -> push::Report {
    try_push(house, by, &push::Options::default()).expect("a push")
}

pub fn push_all(house: &House, by: u8) -> push::Report {
    try_push(house, by, &push::Options { all: true, ..Default::default() }).expect("a push")
}

pub fn fetch(house: &House) -> fetch::Report {
    fetch::run(&house.repository, None, &reach(), &house.clock, &SilentMonitor).expect("a fetch")
}

pub fn pull(house: &House, by: u8) -> pull::Report {
    try_pull(house, by).expect("a pull")
}

pub fn try_pull(house: &House, by: u8) -> Result<pull::Report, pull::Failed> {
    let options = pull::Options { remote: None, identity: Some(identity(by)) };
    pull::run(&house.repository, &options, &|| signing(by), &reach(), &house.clock, &SilentMonitor)
}

/// Fetches, and is told that something cannot be trusted.
#[track_caller]
pub fn problem(house: &House) -> String {
    let report = fetch(house);
    report.fetched.logs.problem.expect("a problem with the shared log")
}

/// Why a name was not taken over.
#[track_caller]
pub fn refusal(report: &fetch::Report, name: &str) -> String {
    let refused = report.fetched.refused.iter().find(|refused| refused.name.name() == name);
    refused.unwrap_or_else(|| panic!("{name} was taken over: {report:?}")).reasons.join("; ")
}

pub fn heads(house: &House) -> BTreeMap<String, Vec<u8>> {
    house.repository.settle_sets().expect("sets");
    house.repository.view().expect("a view").log_heads().expect("heads")
}

pub fn log_of(house: &House) -> VerifiedLog {
    let view = house.repository.view().expect("a view");
    verified_log(&house.repository, &view, house.clock.now(), &SilentMonitor).expect("a log that verifies")
}

pub fn seen(house: &House, branch: &str) -> Option<CommitId> {
    let branch = RefName::branch(branch).expect("a name");
    let name = RefName::remote("origin", &branch).expect("a name");
    house.repository.view().expect("a view").reference(&name).expect("a ref").map(|target| target.commit)
}

#[track_caller]
pub fn says(text: &str, part: &str) {
    assert!(text.contains(part), "{text:?} does not say {part:?}");
}
