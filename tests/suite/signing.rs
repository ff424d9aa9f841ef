//! Identities and signed commits, as a person uses them and as a stranger checks them with stock programs.

use crate::openssh::{Workshop, key_kinds};
use crate::support::World;
use crate::support::terminal::Terminal;
use pentimento::base::id::RepositoryId;
use pentimento::object::commit_signature::{CommitSignature, CommitSignatureError, CommitStatement};
use pentimento::object::signature::{Namespace, SignatureError};
use pentimento::repo::{RepoError, Repository};
use pentimento::store::{Access, Space};
use pentimento::trust::{LocalKey, Signer};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A repository in which Anna has committed nothing yet. Programs are found where the tests find them.
fn studio() -> World {
    let path = std::env::var("PATH").expect("a search path");
    let world = World::new().with("PATH", &path);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world.ok(&["init"]);
    world
}

fn change(world: &World, text: &str) {
    fs::write(world.studio().join("a.psd"), text).expect("a file");
}

fn signed_commit(world: &World, text: &str) -> Value {
    change(world, text);
    world.json(&["commit", "--sign", "-m", text])
}

fn part(report: &Value) -> (String, String) {
    let part = &report["commits"][0]["parts"][0];
    (part["outcome"].as_str().unwrap().to_owned(), part["sentence"].as_str().unwrap().to_owned())
}

/// Verifies without insisting that it counts.
fn verified(world: &World, arguments: &[&str]) -> (i32, Value) {
    let all: Vec<&str> = ["--json", "verify"].iter().chain(arguments).copied().collect();
    let run = world.pent(&all);
    (run.code, serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}")))
}

/// Runs each command of `CHECK.txt` as a stranger would, and gives what they print.
fn check_as_stranger(workshop: &Workshop, folder: &Path) -> Vec<(bool, String)> {
    let text = fs::read_to_string(folder.join("CHECK.txt")).expect("the commands");
    let commands = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let run = |line: &str| {
        let output = workshop.command("sh").args(["-c", line]).current_dir(folder).output().expect("a shell");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    commands.map(run).collect()
}

#[test]
fn commits_signed_with_every_kind_of_key_verify_here_and_with_stock_programs() {
    for (name, arguments) in key_kinds() {
        let (world, workshop) = (studio(), Workshop::new());
        workshop.generate(name, arguments, "");
        let file = workshop.key_path(name);
        world.ok(&["identity", "add", "anna", file.to_str().unwrap()]);
        let commit = signed_commit(&world, "Signed");
        assert_eq!(commit["signed"], workshop.fingerprint(name), "{name}");
        let (code, report) = verified(&world, &[]);
        let (outcome, sentence) = part(&report);
        assert_eq!((code, outcome.as_str()), (0, "good"), "{name}: {sentence}");
        assert!(sentence.starts_with("signed by Anna Lind with the key SHA256:"), "{sentence}");
        world.ok(&["verify", "--export", "../proof"]);
        let printed = check_as_stranger(&workshop, &world.home().join("../proof"));
        let id = commit["commit"]["id"].as_str().unwrap();
        assert_eq!(printed.len(), 2, "{printed:?}");
        assert!(printed[0].0 && printed[0].1.starts_with(id), "{name}: b3sum prints the id: {printed:?}");
        assert!(printed[1].0 && printed[1].1.contains("for anna with"), "{name}: {printed:?}");
    }
}

#[test]
fn encrypted_keys_ask_for_their_passphrase_and_never_by_argument() {
    let (world, workshop) = (studio(), Workshop::new());
    workshop.generate("key", &["-t", "ed25519"], "softer shadow");
    world.ok(&["identity", "add", "anna", workshop.key_path("key").to_str().unwrap()]);
    change(&world, "one");
    let run = world.pent(&["commit", "--sign", "-m", "one"]);
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.stderr.contains("nobody is there to answer"), "{run:?}");
    assert_eq!(
        world.json(&["log"])["commits"].as_array().map(Vec::len),
        None.or(Some(0)),
        "nothing was committed"
    );
    let world = world.with("SSH_ASKPASS", &askpass(&workshop, "another"));
    let run = world.pent(&["commit", "--sign", "-m", "one"]);
    assert!(run.stderr.contains("none of these was the passphrase"), "{run:?}");
    let world = world.with("SSH_ASKPASS", &askpass(&workshop, "softer shadow"));
    world.ok(&["commit", "--sign", "-m", "one"]);
    assert_eq!(verified(&world, &[]).0, 0);
}

#[test]
fn rsa_keys_with_a_passphrase_or_in_an_older_form_sign_through_ssh_keygen() {
    let workshop = Workshop::new();
    for (name, form) in
        [("rsa", &["-t", "rsa", "-b", "2048"][..]), ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"])]
    {
        let world = studio()
            .with("SSH_ASKPASS", &askpass(&workshop, "softer shadow"))
            .with("SSH_ASKPASS_REQUIRE", "force");
        workshop.generate(name, form, "softer shadow");
        let file = workshop.key_path(name);
        world.ok(&["identity", "add", "anna", file.to_str().unwrap()]);
        signed_commit(&world, "One");
        assert_eq!(verified(&world, &[]).0, 0, "{name}");
        fs::remove_file(file.with_extension("pub")).unwrap();
        world.ok(&["identity", "remove", "anna"]);
        let run = world.pent(&["identity", "add", "anna", file.to_str().unwrap()]);
        assert_eq!(run.code == 0, name == "rsa", "only the newer form tells its public half: {run:?}");
    }
}

/// A program that answers with a passphrase.
fn askpass(workshop: &Workshop, passphrase: &str) -> String {
    let path = workshop.path().join(format!("askpass-{}", passphrase.len()));
    fs::write(&path, format!("#!/bin/sh\nprintf '%s\\n' '{passphrase}'\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("executable");
    path.to_str().unwrap().to_owned()
}

/// An agent that ends with the test.
struct Agent {
    child: std::process::Child,
    socket: String,
}

impl Agent {
    fn start(workshop: &Workshop) -> Self {
        let socket = workshop.path().join("agent").to_str().unwrap().to_owned();
        let child = workshop
            .command("ssh-agent")
            .args(["-D", "-a", &socket])
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent");
        for _ in 0..200 {
            if Path::new(&socket).exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Self { child, socket }
    }

    fn add(&self, workshop: &Workshop, name: &str) {
        let status = workshop
            .command("ssh-add")
            .arg("-q")
            .arg(workshop.key_path(name))
            .env("SSH_AUTH_SOCK", &self.socket)
            .status()
            .expect("ssh-add");
        assert!(status.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_running_agent_signs_with_every_kind_of_key_that_it_holds() {
    let workshop = Workshop::new();
    let agent = Agent::start(&workshop);
    for (name, arguments) in key_kinds() {
        let world = studio().with("SSH_AUTH_SOCK", &agent.socket);
        workshop.generate(name, arguments, "");
        agent.add(&workshop, name);
        // Only the agent knows it from now on.
        fs::remove_file(workshop.key_path(name)).expect("removed");
        let print = fingerprint_of(&workshop, name);
        assert!(world.ok(&["identity"]).contains(&print), "the agent's keys are listed");
        world.ok(&["identity", "add", "anna", &print]);
        assert_eq!(signed_commit(&world, "One")["signed"], print);
        let (code, report) = verified(&world, &[]);
        assert_eq!((code, part(&report).0.as_str()), (0, "good"), "{name}: {report}");
    }
}

fn fingerprint_of(workshop: &Workshop, name: &str) -> String {
    let public = workshop.key_path(name).with_extension("pub");
    let line = fs::read_to_string(public).expect("a public key");
    pentimento::object::signature::PublicKey::parse_openssh(&line).unwrap().fingerprint().to_string()
}

#[test]
fn something_that_is_no_agent_is_told_apart_and_signs_nothing() {
    use std::io::{Read as _, Write as _};
    let workshop = Workshop::new();
    let socket = workshop.path().join("hostile");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    // Answers every question with a failure, with garbage, or hangs up.
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let mut question = [0u8; 5];
            let _ = stream.read_exact(&mut question);
            let answer: &[u8] = match turn % 4 {
                0 => &[0, 0, 0, 1, 5],
                1 => &[255, 255, 255, 255, 12],
                2 => &[0, 0, 0, 5, 12, 255, 255, 255, 255],
                _ => &[],
            };
            let _ = stream.write_all(answer);
        }
    });
    let world = studio().with("SSH_AUTH_SOCK", socket.to_str().unwrap());
    for _ in 0..4 {
        let run = world.pent(&["identity", "add", "anna"]);
        assert_eq!(run.code, 7, "{run:?}");
        assert!(run.stderr.contains("ssh-agent"), "{run:?}");
    }
    assert_eq!(world.pent(&["identity"]).code, 0, "listing goes on without an agent");
}

#[test]
fn a_new_key_is_made_used_and_protected_by_its_passphrase() {
    let (world, workshop) = (studio(), Workshop::new());
    let run = world.pent(&["identity", "new", "anna"]);
    assert_eq!(run.code, 4, "no passphrase can be asked for: {run:?}");
    let world = world.with("SSH_ASKPASS", &askpass(&workshop, "softer shadow"));
    let report = world.json(&["identity", "new", "anna", "--note", "laptop", "--until", "2027-03-01"]);
    let file = report["file"].as_str().expect("a file").trim_start_matches("/home/").to_owned();
    let file = world.home().join(file).to_str().unwrap().to_owned();
    let mode = fs::metadata(&file).expect("the key").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(fs::read_to_string(&file).unwrap().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
    // OpenSSH reads it too.
    let shown =
        workshop.command("ssh-keygen").args(["-y", "-P", "softer shadow", "-f", &file]).output().unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    signed_commit(&world, "One");
    let log = world.ok(&["log"]);
    assert!(log.contains("signed by Anna Lind"), "{log}");
    assert!(world.ok(&["show"]).contains("by Anna Lind with the key SHA256:"), "{}", world.ok(&["show"]));
    // A file that others can read is not used any more.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    change(&world, "two");
    let run = world.pent(&["commit", "--sign", "-m", "two"]);
    assert!(run.code == 4 && run.stderr.contains("open to others"), "{run:?}");
}

#[test]
fn the_setting_signs_every_commit_and_can_be_overruled() {
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world.ok(&["config", "commit.sign", "true"]);
    change(&world, "one");
    assert!(world.ok(&["commit", "-m", "one"]).contains("Signed with the key SHA256:"));
    change(&world, "two");
    assert!(!world.ok(&["commit", "--no-sign", "-m", "two"]).contains("Signed"));
    let (code, report) = verified(&world, &["--all"]);
    assert_eq!(code, 1);
    assert_eq!(report["totals"], serde_json::json!({"good": 1, "missing": 1, "wrong": 0}));
    assert_eq!(part(&report), ("missing".into(), "nobody signed it".into()));
    world.ok(&["sign"]);
    assert_eq!(verified(&world, &["--all"]).0, 0, "a signature can come later");
    assert_eq!(verified(&world, &["a.psd"]).0, 0);
    assert_eq!(verified(&world, &["@~1..@"]).1["commits"].as_array().unwrap().len(), 1);
}

#[test]
fn several_people_sign_one_commit_and_its_id_stays() {
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    let before = signed_commit(&world, "One")["commit"]["id"].clone();
    let person = "0b".repeat(16);
    world.ok(&["identity", "new", "ben", "--no-passphrase", "--name", "Ben Okoro", "--person", &person]);
    world.ok(&["identity", "use", "ben"]);
    world.ok(&["sign"]);
    let (code, report) = verified(&world, &[]);
    assert_eq!(code, 0);
    assert_eq!(report["commits"][0]["id"], before);
    let names: Vec<&str> = report["commits"][0]["signatures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.iter().filter(|name| **name == "Ben Okoro").count(), 1);
    assert!(world.ok(&["log"]).contains("signed by Anna Lind and Ben Okoro"), "{}", world.ok(&["log"]));
    assert!(world.ok(&["fsck"]).len() > 1);
}

#[test]
fn keys_that_are_unknown_revoked_or_expired_do_not_count() {
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    let print = signed_commit(&world, "One")["signed"].as_str().unwrap().to_owned();
    // Revoked after the fact: nothing but the signer's own clock says that it was before.
    let book = world.home().join(".config/pent/identities.toml");
    let kept = fs::read_to_string(&book).unwrap();
    world.ok(&["identity", "revoke", "anna", &print, "--since", "2026-04-01"]);
    let (code, report) = verified(&world, &[]);
    let (outcome, sentence) = part(&report);
    assert_eq!((code, outcome.as_str()), (1, "missing"));
    assert!(sentence.contains("revoked on 2026-03-31 23:00 UTC"), "{sentence}");
    change(&world, "two");
    let run = world.pent(&["commit", "--sign", "-m", "two"]);
    assert!(run.code == 4 && run.stderr.contains("you have no key to sign with"), "{run:?}");
    // Expired before the fact, and not valid yet.
    for (line, words) in [
        ("until = \"2026-03-03T13:02:00Z\"", "counted until 2026-03-03"),
        ("from = \"2026-03-03T13:02:01Z\"", "counts only from 2026-03-03"),
    ] {
        fs::write(&book, format!("{}\n{line}\n", kept.trim_end())).unwrap();
        let (_, report) = verified(&world, &[]);
        assert!(part(&report).1.contains(words), "{report}");
    }
    // Still good one moment earlier or later.
    fs::write(
        &book,
        format!("{}\nuntil = \"2026-03-03T13:02:01Z\"\nfrom = \"2026-03-03T13:02:00Z\"\n", kept.trim_end()),
    )
    .unwrap();
    assert_eq!(verified(&world, &[]).0, 0);
    // Unknown.
    world.ok(&["identity", "remove", "anna"]);
    let (_, report) = verified(&world, &[]);
    assert!(part(&report).1.contains("which nobody here knows"), "{report}");
    assert!(world.ok(&["log"]).contains("signed with an unknown key"));
}

#[test]
fn a_key_speaks_for_its_own_person_only_and_one_key_for_one_person() {
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    let print = signed_commit(&world, "One")["signed"].as_str().unwrap().to_owned();
    let public = world.json(&["identity"])["identities"][0]["keys"][0]["public"].as_str().unwrap().to_owned();
    let run = world.pent(&["identity", "add", "ben", &public, "--name", "Ben", "--person", &"0b".repeat(16)]);
    assert!(run.code == 4 && run.stderr.contains(&format!("the key {print} is anna's already")), "{run:?}");
    // The same key, said to be somebody else's.
    let book = world.home().join(".config/pent/identities.toml");
    let text = fs::read_to_string(&book).unwrap();
    let person = text.lines().find(|line| line.starts_with("person")).unwrap().to_owned();
    fs::write(&book, text.replace(&person, &format!("person = \"{}\"", "0b".repeat(16)))).unwrap();
    let (_, report) = verified(&world, &[]);
    let (outcome, sentence) = part(&report);
    assert_eq!(outcome, "wrong", "{sentence}");
    assert!(sentence.contains("in the name of somebody else"), "{sentence}");
    assert!(world.pent(&["verify"]).stdout.contains("Do not trust it."));
}

#[test]
fn signatures_of_another_commit_repository_or_purpose_are_not_taken() {
    let world = studio();
    change(&world, "one");
    world.ok(&["commit", "-m", "one"]);
    let repository = Repository::open(&world.studio(), Access::ReadWrite).unwrap();
    let head = repository.view().unwrap().head().unwrap().unwrap();
    let key = LocalKey::from_seed(&[1; 32]).unwrap();
    let time = pentimento::base::time::Timestamp::utc(0);
    let signer = pentimento::base::id::PersonId::from_bytes([1; 16]);
    let good = CommitStatement { commit: head, repository: repository.id(), signer, time };
    let record = |statement: &CommitStatement, namespace| {
        CommitSignature::new(statement, key.sign(namespace, &statement.encode()).unwrap())
    };
    let elsewhere = CommitStatement { repository: RepositoryId::from_bytes([9; 16]), ..good };
    let other = CommitStatement { commit: pentimento::base::id::CommitId::from_bytes([9; 32]), ..good };
    let put = |record: &CommitSignature| {
        let mut edit = repository.edit().unwrap();
        let result = edit.put_commit_signature(repository.id(), head, record).map(|(_, changed)| changed);
        edit.commit().unwrap();
        result
    };
    let refused = |result: Result<bool, RepoError>| match result {
        Err(RepoError::CommitSignature { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        refused(put(&record(&elsewhere, Namespace::Commit))),
        CommitSignatureError::Repository { .. }
    ));
    assert!(matches!(refused(put(&record(&other, Namespace::Commit))), CommitSignatureError::Commit { .. }));
    assert!(matches!(
        refused(put(&record(&good, Namespace::Action))),
        CommitSignatureError::Signature(SignatureError::Namespace { .. })
    ));
    let swapped = CommitSignature::new(&good, key.sign(Namespace::Commit, &elsewhere.encode()).unwrap());
    assert!(matches!(refused(put(&swapped)), CommitSignatureError::Signature(SignatureError::Mismatch)));
    assert!(put(&record(&good, Namespace::Commit)).unwrap());
    assert!(!put(&record(&good, Namespace::Commit)).unwrap(), "the same again changes nothing");
    // Whichever of two by one key comes first, the same one stays.
    let later = record(
        &CommitStatement { time: pentimento::base::time::Timestamp::utc(5), ..good },
        Namespace::Commit,
    );
    let mine = record(&good, Namespace::Commit);
    put(&later).unwrap();
    let kept = repository.view().unwrap().commit_signatures(head).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].encode(), mine.encode().min(later.encode()));
}

#[test]
fn a_damaged_signature_is_found_and_taken_out_while_the_commit_stays() {
    use pentimento::store::Space;
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    signed_commit(&world, "One");
    {
        let repository = Repository::open(&world.studio(), Access::ReadWrite).unwrap();
        let rows: Vec<_> = {
            let view = repository.view().unwrap();
            let rows = view.snapshot().scan_prefix(Space::CommitSignatures, b"").unwrap();
            rows.map(|row| row.unwrap()).collect()
        };
        let (key, mut value) = rows[0].clone();
        let last = value.len() - 1;
        value[last] ^= 1;
        let mut edit = repository.edit().unwrap();
        edit.transaction().put(Space::CommitSignatures, &key, &value).unwrap();
        edit.commit().unwrap();
    }
    let (_, report) = verified(&world, &[]);
    assert_eq!(part(&report).0, "wrong", "{report}");
    assert_eq!(world.pent(&["fsck"]).code, 5);
    world.pent(&["repair"]);
    assert_eq!(world.pent(&["fsck"]).code, 0);
    assert_eq!(part(&verified(&world, &[]).1), ("missing".into(), "nobody signed it".into()));
}

#[test]
fn names_cannot_forge_what_is_said_of_signatures() {
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase", "--note", "x\u{1b}[2J\u{202e}"]);
    signed_commit(&world, "One");
    for arguments in [&["verify"][..], &["log"], &["show"], &["identity"], &["identity", "export"]] {
        let text = world.ok(arguments);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{arguments:?}: {text:?}");
    }
    let run = world.pent(&["identity", "add", "eve\nanna", "x"]);
    assert_eq!(run.code, 2.max(run.code), "{run:?}");
    assert_ne!(run.code, 0);
}

#[test]
fn allowed_signers_end_and_begin_when_keys_do() {
    let (world, workshop) = (studio(), Workshop::new());
    workshop.generate("key", &["-t", "ed25519"], "");
    let file = workshop.key_path("key");
    let file = file.to_str().unwrap();
    world.ok(&["identity", "add", "anna", file, "--from", "2026-03-02", "--until", "2026-03-05"]);
    let allowed = workshop.path().join("exported");
    fs::write(&allowed, world.ok(&["identity", "export"])).unwrap();
    let armored = workshop.sign("key", "commit@pentimento", b"x");
    fs::write(workshop.path().join("x.sig"), armored).unwrap();
    let accepted = |moment: &str| {
        let output = Command::new("ssh-keygen")
            .args(["-Y", "verify", "-n", "commit@pentimento", "-I", "anna", "-f"])
            .arg(&allowed)
            .arg(format!("-Overify-time={moment}"))
            .arg("-s")
            .arg(workshop.path().join("x.sig"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .and_then(|mut child| {
                use std::io::Write as _;
                child.stdin.take().expect("its input").write_all(b"x")?;
                child.wait()
            });
        output.expect("ssh-keygen").success()
    };
    // The days are those of the person's zone, which is one hour ahead of UTC.
    for (moment, counts) in [
        ("20260301225959Z", false),
        ("20260301230000Z", true),
        ("20260305225959Z", true),
        ("20260305230000Z", false),
    ] {
        assert_eq!(accepted(moment), counts, "{moment}");
    }
}

/// An agent in software that holds a security key; `lies` makes it answer with another's signature.
fn hardware_agent(workshop: &Workshop, lies: bool) -> String {
    use crate::authenticator::Authenticator;
    use pentimento::object::signature::wire::{WireReader, put_string};
    use std::io::{Read as _, Write as _};
    let path = workshop.path().join(if lies { "lying-agent" } else { "hardware-agent" });
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let serve = move |mut stream: std::os::unix::net::UnixStream| -> Option<()> {
        let key = Authenticator::ed25519("ssh:");
        let mut length = [0u8; 4];
        stream.read_exact(&mut length).ok()?;
        let mut question = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut question).ok()?;
        let mut answer = Vec::new();
        if question[0] == 11 {
            answer.extend([12, 0, 0, 0, 1]);
            put_string(&mut answer, key.public_key().blob());
            put_string(&mut answer, b"token");
        } else {
            let mut reader = WireReader::new(&question[1..]);
            reader.string(1 << 16).ok()?;
            let data = if lies { b"something else" } else { reader.string(1 << 16).ok()? };
            answer.push(14);
            put_string(&mut answer, &key.raw(data));
        }
        stream.write_all(&(answer.len() as u32).to_be_bytes()).ok()?;
        stream.write_all(&answer).ok()
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve(stream);
        }
    });
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_security_key_signs_through_the_agent_and_a_lying_agent_is_caught() {
    let workshop = Workshop::new();
    let world = studio().with("SSH_AUTH_SOCK", &hardware_agent(&workshop, false));
    world.ok(&["identity", "add", "anna", "--note", "token"]);
    signed_commit(&world, "One");
    let (code, report) = verified(&world, &[]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["commits"][0]["signatures"][0]["class"], "hardware");
    let world = world.with("SSH_AUTH_SOCK", &hardware_agent(&workshop, true));
    change(&world, "two");
    let run = world.pent(&["commit", "--sign", "-m", "two"]);
    assert!(run.code == 4 && run.stderr.contains("does not fit"), "{run:?}");
    assert_eq!(world.json(&["log"])["commits"].as_array().unwrap().len(), 1);
}

#[test]
fn a_key_that_only_openssh_can_use_signs_through_ssh_keygen() {
    use crate::authenticator::Authenticator;
    use pentimento::trust::helper::HelperSigner;
    let workshop = Workshop::new();
    let key = Authenticator::ed25519("ssh:");
    let program = workshop.path().join("ssh-keygen");
    let answer = |signature: &str, code: u8| {
        fs::write(workshop.path().join("answer"), signature).expect("written");
        let script = format!(
            "#!/bin/sh\n[ \"$*\" = '-Y sign -n commit@pentimento -f key file' ] || exit 9\n\
             [ \"$(cat)\" = statement ] || exit 8\ncat '{}'\nexit {code}\n",
            workshop.path().join("answer").display()
        );
        fs::write(&program, script).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("executable");
        let signer = HelperSigner::new(&program, Path::new("key file"), &key.public_key());
        signer.sign(Namespace::Commit, b"statement")
    };
    let good = key.sign(Namespace::Commit, b"statement").unwrap();
    assert_eq!(answer(&good.armored(), 0).unwrap(), good);
    let refused = |result: Result<_, pentimento::trust::TrustError>| result.unwrap_err().to_string();
    assert!(refused(answer(&good.armored(), 1)).contains("did not sign"));
    assert!(refused(answer("hello", 0)).contains("that is no signature"));
    let another = LocalKey::from_seed(&[2; 32]).unwrap().sign(Namespace::Commit, b"statement").unwrap();
    assert!(refused(answer(&another.armored(), 0)).contains("holds the key"));
    let elsewhere = key.sign(Namespace::Action, b"statement").unwrap();
    assert!(refused(answer(&elsewhere.armored(), 0)).contains("was made for"));
}

#[test]
fn signatures_go_with_their_commit_and_come_back_from_a_damaged_database() {
    use pentimento::store::Space;
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    signed_commit(&world, "One");
    world.ok(&["draft", "new", "night"]);
    signed_commit(&world, "Two");
    world.ok(&["switch", "main"]);
    world.ok(&["draft", "delete", "night", "--force"]);
    // The newest entry of the journal stays for ever, and with it what it names.
    world.ok(&["tag", "kept"]);
    let count = || {
        let repository = Repository::open(&world.studio(), Access::ReadOnly).unwrap();
        repository.view().unwrap().snapshot().count(Space::CommitSignatures).unwrap()
    };
    assert_eq!(count(), 2);
    // Long after undo could want it back.
    let later = "2027-03-03T14:02:00+01:00";
    let world = world.with("PENT_DATE", later);
    world.ok(&["gc"]);
    let world = world.with("PENT_DATE", "2027-06-03T14:02:00+01:00");
    world.ok(&["gc"]);
    assert_eq!(
        {
            let repository = Repository::open(&world.studio(), Access::ReadOnly).unwrap();
            repository.view().unwrap().snapshot().count(Space::CommitSignatures).unwrap()
        },
        1
    );
    // The head of the file is gone; the rows prove themselves.
    let database = world.studio().join(".pent/db.redb");
    let mut bytes = fs::read(&database).unwrap();
    bytes[..4096].fill(0);
    fs::write(&database, bytes).unwrap();
    let run = world.pent(&["repair"]);
    assert!(matches!(run.code, 0 | 1), "{run:?}");
    assert_eq!(verified(&world, &[]).0, 0);
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal_without_showing_it() {
    let (world, workshop) = (studio(), Workshop::new());
    workshop.generate("key", &["-t", "ed25519"], "softer shadow");
    world.ok(&["identity", "add", "anna", workshop.key_path("key").to_str().unwrap()]);
    change(&world, "one");
    let mut terminal = Terminal::pent(&world, 80, &["commit", "--sign", "-m", "one"]);
    terminal.wait_for("Passphrase for");
    terminal.press("softer shadow\r");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Signed with the key SHA256:") && !shown.contains("softer"), "{shown}");
    assert_eq!(verified(&world, &[]).0, 0);
}

#[test]
#[ignore = "minutes: makes a hundred thousand signed commits, to say how long verifying them takes"]
fn a_hundred_thousand_signed_commits_are_verified_in_seconds() {
    use pentimento::app::verify::{Options, Subject, run};
    use pentimento::base::monitor::SilentMonitor;
    use pentimento::base::time::{FixedClock, Timestamp};
    use pentimento::object::source::ObjectSource as _;
    use pentimento::repo::refs::RefTarget;
    const COMMITS: u64 = 100_000;
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    signed_commit(&world, "One");
    let repository = Repository::open(&world.studio(), Access::ReadWrite).unwrap();
    let key = LocalKey::from_seed(&[1; 32]).unwrap();
    let view = repository.view().unwrap();
    let branch = view.state().unwrap().branch;
    let first = view.head().unwrap().unwrap();
    let mut commit = view.commit(first).unwrap();
    let mut edit = repository.edit().unwrap();
    let mut head = first;
    for step in 1..COMMITS {
        commit.parents = vec![head];
        commit.message = format!("Step {step}");
        head = edit.put_commit(&commit).unwrap();
        let (signer, time) = (commit.author.person, Timestamp::utc(step as i64));
        let statement = CommitStatement { commit: head, repository: repository.id(), signer, time };
        let signature = key.sign(Namespace::Commit, &statement.encode()).unwrap();
        let record = CommitSignature::new(&statement, signature);
        edit.put_commit_signature(repository.id(), head, &record).unwrap();
    }
    edit.set_reference(&branch, Some(first), Some(RefTarget::plain(head))).unwrap();
    edit.commit().unwrap();
    let options = Options { subject: Subject::All, keyring: Default::default(), export: None };
    let begun = std::time::Instant::now();
    let report = run(&repository, &options, &FixedClock(Timestamp::utc(0)), &SilentMonitor).unwrap();
    let took = begun.elapsed();
    eprintln!("{COMMITS} signed commits: {took:?}");
    assert_eq!(report.totals.missing, COMMITS, "they hold, and nobody knows the keys");
    assert!(took.as_secs() < 60, "{took:?}");
}

#[test]
fn the_policy_says_whose_keys_count_and_merges_are_signed_too() {
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world.ok(&["config", "commit.sign", "true"]);
    signed_commit(&world, "One");
    world.ok(&["draft", "new", "night"]);
    fs::write(world.studio().join("b.psd"), "b").unwrap();
    world.ok(&["commit", "-m", "Two"]);
    world.ok(&["switch", "main"]);
    change(&world, "three");
    world.ok(&["commit", "-m", "Three"]);
    world.ok(&["merge", "night"]);
    assert_eq!(verified(&world, &["--all"]).1["totals"]["good"], 4);
    world.ok(&["policy", "init"]);
    world.ok(&["identity", "remove", "anna"]);
    let (code, report) = verified(&world, &["--all"]);
    assert_eq!(code, 0, "the policy knows her key: {report}");
}

#[test]
fn what_was_verified_is_not_verified_again_until_the_known_keys_change() {
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    let print = signed_commit(&world, "one")["signed"].as_str().expect("a key").to_owned();
    let first = world.json(&["verify"]);
    assert_eq!(world.json(&["verify"]), first);
    // What this clone found out is a row of its own: with a lie in it the lie is told, so it was used.
    let root = world.studio();
    let lie = |from: &str, to: &str| {
        let repository = Repository::open(&root, Access::ReadWrite).expect("a repository");
        let mut edit = repository.edit().expect("an edit");
        let rows = edit.transaction().scan_prefix(Space::Sets, b"v").expect("rows");
        assert_eq!(rows.len(), 1);
        for (key, row) in rows {
            let text = String::from_utf8_lossy(&row[32..]).replace(from, to);
            let row = [&row[..32], text.as_bytes()].concat();
            edit.transaction().put(Space::Sets, &key, &row).expect("a row");
        }
        edit.commit().expect("a commit");
    };
    lie("signed by", "vouched for by");
    assert!(world.json(&["verify"]).to_string().contains("vouched for by"));
    // Whatever changes of the known keys has it found out again.
    world.ok(&["identity", "revoke", "anna", &print, "--since", "2026-04-01"]);
    let (code, report) = verified(&world, &[]);
    assert_eq!((code, part(&report).0.as_str()), (1, "missing"), "{report}");
}
