//! Clones of people who may not read everything: what is withheld is no damage, no removal and no problem,
//! and comes when the rules change.

use super::kit::{PLACE, move_in, signs};
use crate::app_flow::noise;
use crate::remote_contract::http::TestServer;
use crate::review_kit::{House, Seconds, identity};
use crate::trust_kit::{ANNA, CLEO, DORA, somebody};
use pentimento::app::common::remotes::{Network, Reach};
use pentimento::app::common::signing::SigningAs;
use pentimento::app::{clone, fetch, fsck, pull, push, status};
use pentimento::base::monitor::SilentMonitor;
use pentimento::repo::Repository;
use pentimento::store::Access;
use std::sync::atomic::Ordering;

const OPEN: &str = "[[protect]]\nbranch = \"main\"\napprovals = [\"1 editor\"]\n";

/// Contracts and keys are for the legal department, which is Cleo.
const CLOSED: &str = "[[protect]]\nbranch = \"main\"\napprovals = [\"1 editor\"]\n\n[access]\n[[access.paths]]\npaths = \"contracts/**\"\nread = [\"legal\"]\n\n[[access.paths]]\npaths = \"**/*.key\"\nread = [\"legal\"]\n";

/// A server with a draft that people work on together.
struct Stage {
    server: TestServer,
}

impl Stage {
    fn new(rules: &str) -> Self {
        let server = TestServer::start();
        // Later than all that people do.
        server.clock.0.store(1_772_386_000_000, Ordering::Relaxed);
        let house = House::new();
        house.write("contracts/deal.txt", "twelve thousand");
        house.write("contracts/scan.bin", noise(21, 600_000));
        house.write("brand/film.bin", noise(22, 600_000));
        house.commit(ANNA, "Contracts");
        house.set_policy(rules, 1);
        house.begin("spring");
        house.write("spring.txt", "spring");
        house.commit(ANNA, "Spring");
        house.go("main");
        move_in(&server, house);
        Self { server }
    }

    fn reach(&self, number: u8) -> Reach {
        let network = Network { sign_in: Some(signs(&self.server, number)), ..Network::default() };
        Reach { network, ..Reach::default() }
    }

    fn clone_as(&self, number: u8) -> House {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Seconds::from(1_772_382_000_000);
        let options = clone::Options {
            address: format!("http://{}/{PLACE}", self.server.address).parse().expect("an address"),
            folder: folder.path().to_owned(),
            branch: Some("spring".into()),
            expected: None,
            lazy: false,
            sparse: Vec::new(),
        };
        let report = clone::run(&options, &self.reach(number), &clock, &SilentMonitor).expect("a clone");
        assert!(report.files.problems.is_empty(), "{report:?}");
        let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a clone");
        House { folder, repository, clock }
    }

    fn push(&self, house: &House, by: u8) -> push::Report {
        let signing = || {
            let person = somebody(by);
            Ok(SigningAs { person: person.id, signer: Box::new(person.key) })
        };
        let (options, reach) = (push::Options::default(), self.reach(by));
        let report = push::run(
            &house.repository,
            &options,
            &signing,
            &reach,
            &mut |_| {},
            &house.clock,
            &SilentMonitor,
        );
        report.expect("a push")
    }

    fn pull(&self, house: &House, by: u8) -> pull::Report {
        let signing = || {
            let person = somebody(by);
            Ok(SigningAs { person: person.id, signer: Box::new(person.key) })
        };
        let options = pull::Options { remote: None, identity: Some(identity(by)) };
        let report =
            pull::run(&house.repository, &options, &signing, &self.reach(by), &house.clock, &SilentMonitor);
        report.expect("a pull")
    }
}

fn status_of(house: &House) -> status::Report {
    status::run(&house.repository, &status::Options::default(), &SilentMonitor).expect("a status")
}

/// Nothing is changed here, nothing is a problem, and so many files are withheld.
#[track_caller]
fn assert_quiet(house: &House, withheld: u64) {
    let status = status_of(house);
    assert!(status.changes.is_empty() && status.problems.is_empty(), "{status:?}");
    assert_eq!(status.withheld, withheld);
    let report = fsck::run(&house.repository, &fsck::Options::default(), &house.clock, &SilentMonitor);
    let report = report.expect("a check");
    assert!(report.sound, "{}", serde_json::to_string(&report).expect("a report"));
}

#[test]
fn what_is_withheld_is_neither_damaged_nor_removed() {
    let stage = Stage::new(CLOSED);
    let dora = stage.clone_as(DORA);
    assert_quiet(&dora, 2);
    let cleo = stage.clone_as(CLEO);
    assert_quiet(&cleo, 0);
    // Among files that everybody may read, and in a folder that is shown.
    cleo.write("brand/logo.key", "secret");
    cleo.write("contracts/new.txt", "thirteen thousand");
    cleo.write("brand/open.txt", "open");
    cleo.write("autumn/plan.txt", "a new folder");
    cleo.commit(CLEO, "Keys");
    stage.push(&cleo, CLEO);
    let pulled = stage.pull(&dora, DORA);
    assert_eq!(pulled.fetch.fetched.withheld, 2, "{pulled:?}");
    assert_eq!(pulled.merge.as_ref().map(|merge| merge.files.withheld), Some(2), "{pulled:?}");
    assert_eq!(dora.text("brand/open.txt").as_deref(), Some("open"));
    assert_eq!(dora.text("autumn/plan.txt").as_deref(), Some("a new folder"));
    assert_eq!((dora.text("brand/logo.key"), dora.text("contracts/new.txt")), (None, None));
    assert_quiet(&dora, 4);
    // What Dora commits takes nothing away.
    dora.write("brand/own.txt", "mine");
    dora.commit(DORA, "Mine");
    assert_quiet(&dora, 4);
    stage.push(&dora, DORA);
    stage.pull(&cleo, CLEO);
    assert_eq!(cleo.text("brand/own.txt").as_deref(), Some("mine"));
    assert_eq!(cleo.text("brand/logo.key").as_deref(), Some("secret"));
    assert_eq!(cleo.text("contracts/deal.txt").as_deref(), Some("twelve thousand"));
    assert_quiet(&cleo, 0);
    // Another branch and back.
    dora.begin("other");
    dora.write("other.txt", "other");
    dora.commit(DORA, "Other");
    dora.go("spring");
    assert_quiet(&dora, 4);
}

#[test]
fn what_is_withheld_no_longer_comes_with_the_next_pull() {
    let stage = Stage::new(CLOSED);
    let dora = stage.clone_as(DORA);
    let anna = stage.clone_as(ANNA);
    anna.set_policy(OPEN, 2);
    stage.push(&anna, ANNA);
    let pulled = stage.pull(&dora, DORA);
    assert_eq!((pulled.fetch.fetched.released, pulled.fetch.fetched.released_paths), (2, 2), "{pulled:?}");
    assert_eq!(pulled.files.as_ref().map(|files| files.written), Some(2), "{pulled:?}");
    assert_eq!(dora.text("contracts/deal.txt").as_deref(), Some("twelve thousand"));
    assert_quiet(&dora, 0);
    // Nothing more comes of it the next time.
    let pulled = stage.pull(&dora, DORA);
    assert_eq!((pulled.fetch.fetched.released, pulled.files.is_none()), (0, true), "{pulled:?}");
    // A fetch alone takes the content and says that the files are not there yet; none counts as removed.
    let late = Stage::new(CLOSED);
    let (dora, anna) = (late.clone_as(DORA), late.clone_as(ANNA));
    anna.set_policy(OPEN, 2);
    late.push(&anna, ANNA);
    let fetched = fetch::run(&dora.repository, None, &late.reach(DORA), &dora.clock, &SilentMonitor);
    assert_eq!(fetched.expect("a fetch").fetched.released, 2);
    let status = status_of(&dora);
    assert!(status.changes.is_empty(), "{status:?}");
    assert_eq!(status.problems.len(), 2, "{status:?}");
}

#[test]
fn what_was_read_before_it_was_withheld_stays_as_it_was() {
    let stage = Stage::new(OPEN);
    let dora = stage.clone_as(DORA);
    assert_quiet(&dora, 0);
    let anna = stage.clone_as(ANNA);
    anna.set_policy(CLOSED, 2);
    stage.push(&anna, ANNA);
    let cleo = stage.clone_as(CLEO);
    cleo.write("contracts/deal.txt", "fourteen thousand");
    cleo.commit(CLEO, "More");
    stage.push(&cleo, CLEO);
    stage.pull(&dora, DORA);
    assert_eq!(dora.text("contracts/deal.txt").as_deref(), Some("twelve thousand"));
    assert_quiet(&dora, 1);
    dora.write("brand/own.txt", "mine");
    dora.commit(DORA, "Mine");
    stage.push(&dora, DORA);
    stage.pull(&cleo, CLEO);
    assert_eq!(cleo.text("contracts/deal.txt").as_deref(), Some("fourteen thousand"));
}
