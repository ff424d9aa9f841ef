//! The contract against object stores: servers of others, started here on this machine.
//!
//! One test for each server, since each takes seconds to start.

use super::{BucketPlace, CASES, care, cases, crowd, token};
use crate::app_flow::noise;
use crate::support::World;
use crate::support::line::{Line, Mishap};
use crate::support::servers::{Server, azurite, moto, rclone, s3s};
use crate::travel::locks::locks_hold_at;
use base64ct::Encoding as _;
use pentimento::app::common::remotes::Reach;
use pentimento::base::id::PackId;
use pentimento::store::bucket::probe::probe_conditions;
use pentimento::store::bucket::{Bucket, BucketError, Cloud, CloudBucket, Surroundings};
use pentimento::sync::SyncError;
use pentimento::sync::address::Address;
use pentimento::sync::bucket::BucketRemote;
use pentimento::sync::remote::Remote as _;
use std::fs;
use std::sync::Arc;

/// The bucket or container of all tests.
pub(super) const BUCKET: &str = "pent-test";
/// The account that every azurite has; its key is no secret.
const AZURE_ACCOUNT: &str = "devstoreaccount1";
const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

pub(super) type Variables = Vec<(String, String)>;

fn s3_variables(server: &Server, key: &str, secret: &str) -> Variables {
    let pairs =
        [("AWS_ENDPOINT_URL", &*server.url()), ("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

pub(super) fn open(cloud: Cloud, prefix: &str, variables: &Variables) -> CloudBucket {
    let around = Surroundings { variables, home: None };
    CloudBucket::open(cloud, BUCKET, prefix, around).expect("a bucket")
}

/// A remote under a prefix of its own.
fn place(cloud: Cloud, variables: &Variables) -> BucketPlace {
    let prefix = format!("run/{}", PackId::from_bytes(token()));
    BucketPlace::begin(Arc::new(open(cloud, &prefix, variables)))
}

/// An S3 server that keeps conditions, with a bucket.
pub(super) fn s3() -> Option<(Server, Variables)> {
    let server = moto(false)?;
    let made = server.request("PUT", &format!("/{BUCKET}"), &[], "");
    assert_eq!(made.status, 200, "{made:?}");
    let variables = s3_variables(&server, "test", "test");
    Some((server, variables))
}

/// The store's clock, which is this machine's here; it tells whole seconds.
fn knows_the_time(bucket: &dyn Bucket) {
    let there = bucket.clock_ms().expect("an answer").expect("a moment");
    let here = jiff::Timestamp::now().as_millisecond();
    assert!((there - here).abs() < 60_000, "{there} {here}");
}

/// The whole contract, each case at a place of its own.
fn keeps_the_contract(cloud: Cloud, variables: &Variables) {
    for case in CASES {
        case(&place(cloud, variables));
    }
}

/// Blobs and cells as every bucket has them, lengths at which an object goes in parts included.
fn keeps_bytes(bucket: &dyn Bucket) {
    let large = noise(9, (64 << 20) + 12_345);
    bucket.put("packs/aa/large.pack", &large).expect("an object in parts");
    assert_eq!(bucket.length("packs/aa/large.pack").expect("a length"), Some(large.len() as u64));
    let end = large.len() as u64;
    let part = bucket.get_range("packs/aa/large.pack", end - 100..end).expect("a range").expect("bytes");
    assert!(part == large[large.len() - 100..]);
    assert!(bucket.get("packs/aa/large.pack", 1000).is_err(), "more than the caller wants to take");
    assert!(bucket.get("packs/aa/large.pack", end).expect("an object").expect("bytes") == large);
    let past = bucket.get_range("packs/aa/large.pack", end - 10..end + 10);
    assert!(matches!(past, Err(BucketError::CutShort { .. } | BucketError::Transient { .. })), "{past:?}");
    assert!(bucket.get("packs/aa/nothing", 1000).expect("an answer").is_none());
    assert!(bucket.get_range("packs/aa/nothing", 0..10).expect("an answer").is_none());
    let mut found = Vec::new();
    bucket.list("packs/", &mut |listed| found.push((listed.key, listed.length))).expect("a list");
    assert_eq!(found, [("packs/aa/large.pack".to_owned(), end)]);
    bucket.delete("packs/aa/large.pack").expect("a removal");
    bucket.delete("packs/aa/large.pack").expect("what is gone is as good as removed");
    assert_eq!(bucket.length("packs/aa/large.pack").expect("an answer"), None);
}

#[test]
fn s3_keeps_the_contract_with_many_who_push_and_collect_at_once() {
    let Some((_server, variables)) = s3() else { return };
    keeps_bytes(&open(Cloud::S3, "bytes", &variables));
    knows_the_time(&open(Cloud::S3, "time", &variables));
    keeps_the_contract(Cloud::S3, &variables);
    crowd::to_branches_of_their_own(&place(Cloud::S3, &variables), 8);
    crowd::to_one_branch(&place(Cloud::S3, &variables), 6);
    care::collections_while_many_push_lose_nothing(&place(Cloud::S3, &variables), 8);
    let address = Address::S3 { bucket: BUCKET.to_owned(), prefix: "run/locks".to_owned() };
    locks_hold_at(&address, &Reach { variables, ..Reach::default() });
}

/// Answers every request of a connection in the same way, and hands out what was asked.
fn answering(answer: String) -> (std::net::SocketAddr, std::sync::mpsc::Receiver<String>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (asked, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut line in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            let length = line.read(&mut bytes).unwrap_or(0);
            if asked.send(String::from_utf8_lossy(&bytes[..length]).into_owned()).is_err() {
                return;
            }
            let _ = line.write_all(answer.as_bytes());
            let _ = line.shutdown(std::net::Shutdown::Write);
            let _ = line.read_to_end(&mut Vec::new());
        }
    });
    (address, heard)
}

#[test]
fn what_signs_in_to_a_cloud_follows_no_redirect_to_another_host() {
    let nothing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (other, at_other) = answering(nothing.to_owned());
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let there = format!("http://localhost:{}/elsewhere", other.port());
        let (asked, at_asked) = answering(format!(
            "HTTP/1.1 {status}\r\nLocation: {there}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ));
        let s3 = [
            ("AWS_ENDPOINT_URL", format!("http://{asked}")),
            ("AWS_ACCESS_KEY_ID", "KEY".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "SECRET".to_owned()),
            ("AWS_SESSION_TOKEN", "SESSIONTOKEN".to_owned()),
        ];
        let azure = [
            ("AZURE_STORAGE_ACCOUNT", AZURE_ACCOUNT.to_owned()),
            ("AZURE_STORAGE_KEY", AZURE_KEY.to_owned()),
            ("AZURE_STORAGE_ENDPOINT", format!("http://{asked}/{AZURE_ACCOUNT}")),
        ];
        let named = |pairs: &[(&str, String)]| -> Variables {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        for (cloud, variables) in [(Cloud::S3, named(&s3)), (Cloud::Azure, named(&azure))] {
            let bucket = open(cloud, "x", &variables);
            let errors = [
                bucket.read_cell("head", 1000).map(drop),
                bucket.write_cell("head", b"new", None).map(drop),
                bucket.put("packs/aa/one.pack", b"pack").map(drop),
                bucket.delete("packs/aa/one.pack"),
            ];
            for outcome in errors {
                let error = outcome.expect_err("a redirect is no answer");
                let is_told = matches!(&error, BucketError::LedElsewhere { host, .. } if host == "localhost");
                assert!(is_told, "{cloud:?} {status}: {error:?}");
                assert!(!error.to_string().contains("SESSIONTOKEN"));
            }
        }
        assert!(at_asked.try_iter().count() >= 8, "the host that was named is asked");
    }
    assert_eq!(at_other.try_iter().next(), None, "nobody else is");
}

/// What a line does to each of its connections, all of which clients get over.
fn bad_line(number: u64) -> Mishap {
    let place = [0, 100, 3_000, 200_000, 9_000_000][(number / 5 % 5) as usize];
    match number % 5 {
        0 => Mishap::Answer(503),
        1 => Mishap::DropAsking(place),
        2 => Mishap::DropAnswering(place),
        3 => Mishap::Answer(500),
        _ => Mishap::None,
    }
}

#[test]
fn on_a_bad_line_requests_are_made_again_and_large_objects_arrive_in_parts() {
    let Some((server, mut variables)) = s3() else { return };
    let line = Line::new(bad_line);
    line.lead_to(server.address());
    variables[0].1 = format!("http://{}", line.address);
    cases::what_is_pushed_comes_back_whole(&place(Cloud::S3, &variables));
    cases::many_small_files_and_one_large_one(&place(Cloud::S3, &variables));
    cases::a_publication_counts_once_however_often_it_is_told(&place(Cloud::S3, &variables));
    // An object in nine parts, each of which has to get through: one connection in four is bad.
    let line = Line::new(|number| if number % 4 == 3 { bad_line(number / 4) } else { Mishap::None });
    line.lead_to(server.address());
    variables[0].1 = format!("http://{}", line.address);
    let bucket = open(Cloud::S3, "parts", &variables);
    let large = noise(9, (64 << 20) + 12_345);
    // Whoever puts something tries as often as this at least.
    let put = (0..6).find_map(|_| bucket.put("indexes/large.index", &large).ok());
    assert!(put.is_some(), "no attempt got through");
    let end = large.len() as u64;
    let back = (0..6).find_map(|_| bucket.get("indexes/large.index", end).ok());
    assert!(back.expect("an attempt that got through").expect("an object") == large);
}

#[test]
fn on_a_bad_line_to_azure_requests_are_made_again() {
    let Some(server) = azurite() else { return };
    make_container(&server);
    let line = Line::new(bad_line);
    line.lead_to(server.address());
    let straight = azure_variables(&server);
    let mut variables = straight.clone();
    variables[0].1 = straight[0].1.replace(&server.address().to_string(), &line.address.to_string());
    assert_ne!(variables, straight);
    cases::what_is_pushed_comes_back_whole(&place(Cloud::Azure, &variables));
    cases::many_small_files_and_one_large_one(&place(Cloud::Azure, &variables));
    cases::a_publication_counts_once_however_often_it_is_told(&place(Cloud::Azure, &variables));
}

#[test]
fn azure_keeps_the_contract() {
    let Some(server) = azurite() else { return };
    make_container(&server);
    let variables = azure_variables(&server);
    keeps_bytes(&open(Cloud::Azure, "bytes", &variables));
    knows_the_time(&open(Cloud::Azure, "time", &variables));
    keeps_the_contract(Cloud::Azure, &variables);
    crowd::to_branches_of_their_own(&place(Cloud::Azure, &variables), 6);
    let wrong = "AccountName=devstoreaccount1;AccountKey=d3Jvbmc=;BlobEndpoint=";
    let wrong = format!("{wrong}{}/{AZURE_ACCOUNT};", server.url());
    let wrong = open(Cloud::Azure, "x", &vec![("AZURE_STORAGE_CONNECTION_STRING".to_owned(), wrong)]);
    let refused = wrong.get("head", 1000);
    assert!(matches!(refused, Err(BucketError::Denied { .. })), "{refused:?}");
}

fn azure_variables(server: &Server) -> Variables {
    let connection = format!(
        "AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};BlobEndpoint={}/{AZURE_ACCOUNT};",
        server.url()
    );
    vec![("AZURE_STORAGE_CONNECTION_STRING".to_owned(), connection)]
}

#[test]
fn the_program_shares_work_through_azure_with_what_its_own_tools_are_told() {
    let Some(server) = azurite() else { return };
    make_container(&server);
    let world = world(&Vec::new());
    let address = format!("az://{BUCKET}/brand");
    let nobody = world.pent(&["remote", "add", "origin", &address]);
    assert_eq!(nobody.code, 4, "{}", nobody.stderr);
    assert!(nobody.stderr.contains("AZURE_STORAGE_ACCOUNT"), "{}", nobody.stderr);
    let folder = world.home().join(".azure");
    fs::create_dir(&folder).expect("a folder");
    let connection = &azure_variables(&server)[0].1;
    fs::write(folder.join("config"), format!("[storage]\nconnection_string = {connection}\n"))
        .expect("written");
    assert_eq!(world.json(&["remote", "add", "origin", &address])["begun"], true);
    world.ok(&["push"]);
    world.ok(&["clone", &address, "../ben"]);
    assert!(fs::read(world.studio().join("../ben/photo.raw")).expect("a file") == noise(5, 900_000));
    no_secret_is_kept(&world.studio(), AZURE_KEY);
    no_secret_is_kept(&world.studio().join("../ben"), AZURE_KEY);
    // Variables go before the file.
    let other = world.with("AZURE_STORAGE_KEY", "d3Jvbmc=");
    let refused = other.pent(&["fetch"]);
    assert_eq!(refused.code, 6, "{}", refused.stderr);
}

/// Makes the container, with a signature as Azure wants it
/// (<https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>).
fn make_container(server: &Server) {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let version = "2021-08-06";
    let signed = format!(
        "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:{version}\n\
         /{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{BUCKET}\nrestype:container"
    );
    let key = base64ct::Base64::decode_vec(AZURE_KEY).expect("a key");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signature = base64ct::Base64::encode_string(ring::hmac::sign(&key, signed.as_bytes()).as_ref());
    let authorization = format!("SharedKey {AZURE_ACCOUNT}:{signature}");
    let headers = [("x-ms-date", &*date), ("x-ms-version", version), ("Authorization", &*authorization)];
    let path = format!("/{AZURE_ACCOUNT}/{BUCKET}?restype=container");
    let made = server.request("PUT", &path, &headers, "");
    assert_eq!(made.status, 201, "{made:?}");
}

#[test]
fn a_server_of_signatures_alone_takes_the_right_ones_and_no_others() {
    let Some(server) = s3s(BUCKET, "AKIAPENT", "hunter2hunter2") else { return };
    let variables = s3_variables(&server, "AKIAPENT", "hunter2hunter2");
    keeps_bytes(&open(Cloud::S3, "bytes", &variables));
    knows_the_time(&open(Cloud::S3, "time", &variables));
    keeps_the_contract(Cloud::S3, &variables);
    for (key, secret) in [("AKIAPENT", "another"), ("AKIAOTHER", "hunter2hunter2")] {
        let wrong = open(Cloud::S3, "bytes", &s3_variables(&server, key, secret));
        for refused in [wrong.get("head", 1000).map(drop), wrong.put("packs/aa/x.pack", b"x")] {
            assert!(matches!(refused, Err(BucketError::Denied { .. })), "{refused:?}");
        }
    }
}

#[test]
fn a_server_that_checks_signatures_takes_the_right_ones_and_no_others() {
    let Some(server) = moto(true) else { return };
    // A user with a key, made while nobody has to sign yet.
    let scope = "AWS4-HMAC-SHA256 Credential=none/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
    let form =
        [("Authorization", scope), ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")];
    let iam = |action: &str| {
        let answer =
            server.request("POST", "/", &form, &format!("Version=2010-05-08&UserName=anna&{action}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text
    };
    iam("Action=CreateUser");
    let keys = iam("Action=CreateAccessKey");
    let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
                  %22Action%22%3A%22s3%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";
    iam(&format!("Action=PutUserPolicy&PolicyName=all&PolicyDocument={policy}"));
    let made = server.request("PUT", &format!("/{BUCKET}"), &[], "");
    assert_eq!(made.status, 200, "{made:?}");
    let between = |start: &str, end: &str| {
        let rest = keys.split_once(start).expect("a part").1;
        rest.split_once(end).expect("its end").0.to_owned()
    };
    let key = between("<AccessKeyId>", "</AccessKeyId>");
    let secret = between("<SecretAccessKey>", "</SecretAccessKey>");
    let unsigned = server.request("GET", &format!("/{BUCKET}/head"), &[], "");
    assert_ne!(unsigned.status, 200, "{unsigned:?}");
    let variables = s3_variables(&server, &key, &secret);
    cases::what_is_pushed_comes_back_whole(&place(Cloud::S3, &variables));
    cases::a_name_moves_only_from_where_it_is(&place(Cloud::S3, &variables));
    let wrong = open(Cloud::S3, "run/x", &s3_variables(&server, &key, "another"));
    let remote = BucketRemote::new(Arc::new(wrong), "there".to_owned(), None);
    let refused = remote.describe();
    assert!(matches!(refused, Err(SyncError::Bucket(BucketError::Denied { .. }))), "{refused:?}");
}

/// A world with a repository and one commit, and variables.
pub(super) fn world(variables: &Variables) -> World {
    let world = variables.iter().fold(World::new(), |world, (name, value)| world.with(name, value));
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    fs::write(world.studio().join("photo.raw"), noise(5, 900_000)).expect("a file");
    world.ok(&["commit", "-m", "Begin"]);
    world
}

#[test]
fn a_server_that_forgets_conditions_is_refused_when_a_remote_is_added() {
    let Some(server) = rclone("key", "secret") else { return };
    let variables = s3_variables(&server, "key", "secret");
    let nonce = PackId::from_bytes(token()).to_string();
    let outcome = probe_conditions(&open(Cloud::S3, "run", &variables), &nonce);
    assert!(matches!(outcome, Err(BucketError::Unconditional { .. })), "{outcome:?}");
    let address = format!("s3://{BUCKET}/brand");
    let run = world(&variables).pent(&["remote", "add", "origin", &address]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stderr.contains("cannot be used by several people"), "{}", run.stderr);
    assert!(run.stderr.contains("would lose work"), "{}", run.stderr);
    let denied = world(&s3_variables(&server, "key", "wrong")).pent(&["remote", "add", "origin", &address]);
    assert_eq!(denied.code, 6, "{}", denied.stderr);
    assert!(!denied.stderr.contains("wrong"), "a secret is told: {}", denied.stderr);
}

#[test]
fn the_program_shares_work_through_s3_with_a_profile_of_the_cloud() {
    let Some((server, variables)) = s3() else { return };
    let none = vec![variables[0].clone()];
    let world = world(&none);
    let address = format!("s3://{BUCKET}/brand");
    let nobody = world.pent(&["remote", "add", "origin", &address]);
    assert_eq!(nobody.code, 4, "{}", nobody.stderr);
    assert!(nobody.stderr.contains("AWS_ACCESS_KEY_ID"), "{}", nobody.stderr);
    let folder = world.home().join(".aws");
    fs::create_dir(&folder).expect("a folder");
    let profile = "[studio]\naws_access_key_id = TESTKEY7\naws_secret_access_key = hunter2hunter2\n";
    fs::write(folder.join("credentials"), profile).expect("a profile");
    assert_eq!(world.pent(&["remote", "add", "origin", &address]).code, 4, "another profile is meant");
    let world = world.with("AWS_PROFILE", "studio");
    assert_eq!(world.json(&["remote", "add", "origin", &address])["begun"], true);
    world.ok(&["push"]);
    world.ok(&["remote", "check"]);
    world.ok(&["clone", &address, "../ben"]);
    fs::write(world.studio().join("../ben/photo.raw"), noise(6, 900_000)).expect("a file");
    world.ok(&["-C", "../ben", "commit", "-m", "Another"]);
    world.ok(&["-C", "../ben", "push"]);
    world.ok(&["pull"]);
    assert!(fs::read(world.studio().join("photo.raw")).expect("a file") == noise(6, 900_000));
    assert_eq!(world.json(&["remote", "verify"])["damaged"].as_array().map(Vec::len), Some(0));
    let safe = format!("s3://{BUCKET}/safe");
    world.ok(&["backup", &safe]);
    assert_eq!(world.json(&["backup", &safe])["moved"]["bytes_sent"], 0);
    world.ok(&["clone", &safe, "../back"]);
    assert_eq!(world.json(&["-C", "../back", "fsck"])["sound"], true);
    lose_a_pack(&server);
    assert_eq!(world.pent(&["remote", "verify"]).code, 5);
    world.ok(&["remote", "repair"]);
    world.ok(&["clone", &address, "../again"]);
    no_secret_is_kept(&world.studio(), "hunter2hunter2");
}

/// Has the store lose a pack of the remote `brand`.
fn lose_a_pack(server: &Server) {
    let variables = s3_variables(server, "test", "test");
    let bucket = open(Cloud::S3, "brand", &variables);
    let mut keys = Vec::new();
    bucket.list("packs/", &mut |listed| keys.push(listed.key)).expect("a list");
    bucket.delete(keys.first().expect("a pack")).expect("a removal");
}

/// Looks through everything below a folder for a secret.
fn no_secret_is_kept(folder: &std::path::Path, secret: &str) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            no_secret_is_kept(&path, secret);
        } else if let Ok(bytes) = fs::read(&path) {
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "{} has a secret", path.display());
        }
    }
}

#[test]
fn a_place_that_nobody_listens_at_is_named_as_such_and_soon() {
    let variables = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let outcome = open(Cloud::S3, "x", &variables).get("head", 1000);
    assert!(matches!(outcome, Err(BucketError::Unreachable { .. })), "{outcome:?}");
    let written = open(Cloud::S3, "x", &variables).write_cell("head", b"x", None);
    assert!(matches!(written, Err(BucketError::Unreachable { .. })), "{written:?}");
}
