//! A remote behind a real sshd on this machine, with keys, settings and a port of its own.

use super::{Place, REPOSITORY, assert_sound, fetch_from, head, push_to, seen};
use crate::app_flow::{Lab, noise};
use crate::openssh::Workshop;
use crate::support::line::{Line, Mishap};
use pentimento::object::chunker::ChunkerParameters;
use pentimento::sync::SyncError;
use pentimento::sync::remote::Remote;
use pentimento::sync::ssh::{SshDial, program_words};
use pentimento::sync::wire::WireRemote;
use pentimento::sync::wire::pipe::PipeCarrier;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A running sshd and what it takes to reach it.
pub struct Sshd {
    workshop: Workshop,
    child: Child,
    pub port: u16,
}

fn sshd_program() -> PathBuf {
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("sshd; .ci/run installs openssh-server")
}

impl Sshd {
    /// Starts one in which `pent` is to be found, after `before` in the PATH.
    pub fn start(before: Option<&Path>) -> Self {
        let workshop = Workshop::new();
        workshop.generate("host", &["-t", "ed25519"], "");
        let key = workshop.generate("user", &["-t", "ed25519"], "");
        fs::write(workshop.key_path("authorized"), format!("{key}\n")).expect("written");
        fs::create_dir(workshop.key_path("home")).expect("a home");
        // Where sshd goes before somebody has signed in; packages make it when they start a service.
        let _ = fs::create_dir_all("/run/sshd");
        for _ in 0..10 {
            let port = free_port();
            let config = workshop.key_path("sshd_config");
            fs::write(&config, server_config(&workshop, port, before)).expect("written");
            let mut child = Command::new(sshd_program())
                .args(["-D", "-e", "-f"])
                .arg(&config)
                .stderr(fs::File::create(workshop.key_path("log")).expect("a log"))
                .stdin(Stdio::null())
                .spawn()
                .expect("sshd starts");
            if answers(port, &mut child) {
                let sshd = Self { workshop, child, port };
                fs::write(sshd.client_config(), sshd.client_text()).expect("written");
                return sshd;
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("no sshd: {}", fs::read_to_string(workshop.key_path("log")).unwrap_or_default());
    }

    fn client_config(&self) -> PathBuf {
        self.workshop.key_path("ssh_config")
    }

    fn client_text(&self) -> String {
        let at = |name: &str| self.workshop.key_path(name).display().to_string();
        format!(
            "Host *\nIdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {}\n\
             GlobalKnownHostsFile none\nStrictHostKeyChecking accept-new\nBatchMode yes\nLogLevel ERROR\n",
            at("user"),
            at("known")
        )
    }

    /// What `PENT_SSH` has to say.
    pub fn ssh_words(&self) -> String {
        format!("ssh -F {}", self.client_config().display())
    }

    /// A remote at a path.
    pub fn remote(&self, path: &str) -> (WireRemote<PipeCarrier<SshDial>>, Arc<Mutex<Vec<String>>>) {
        self.remote_through(self.port, path)
    }

    /// The same, through something that listens at another port.
    fn remote_through(
        &self,
        port: u16,
        path: &str,
    ) -> (WireRemote<PipeCarrier<SshDial>>, Arc<Mutex<Vec<String>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listener = heard.clone();
        let dial = SshDial {
            address: format!("ssh://127.0.0.1:{port}{path}"),
            program: program_words(Some(&self.ssh_words())),
            user: None,
            host: "127.0.0.1".into(),
            port: Some(port),
            path: path.into(),
            notice: Arc::new(move |line: &str| listener.lock().expect("a lock").push(line.to_owned())),
        };
        (WireRemote::new(PipeCarrier::new(dial)), heard)
    }

    /// The folder for whatever a test puts on the other end.
    pub fn folder(&self) -> PathBuf {
        self.workshop.key_path("home")
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn server_config(workshop: &Workshop, port: u16, before: Option<&Path>) -> String {
    let at = |name: &str| workshop.key_path(name).display().to_string();
    let program = Path::new(env!("CARGO_BIN_EXE_pent")).parent().expect("a folder").display().to_string();
    let path = before
        .map_or(format!("{program}:/usr/bin:/bin"), |folder| format!("{}:/usr/bin:/bin", folder.display()));
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nPidFile none\n\
         MaxStartups 200\nMaxSessions 200\nSetEnv PATH={path} HOME={}\n",
        at("host"),
        at("authorized"),
        at("home")
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn answers(port: u16, child: &mut Child) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// A repository behind sshd.
pub struct SshPlace(Sshd);

impl SshPlace {
    pub fn new() -> Self {
        let place = Self(Sshd::start(None));
        let (remote, _) = place.0.remote(&place.path());
        remote.begin(REPOSITORY, ChunkerParameters::default()).expect("a new repository");
        place
    }

    fn path(&self) -> String {
        self.0.folder().join("it's a brand").display().to_string()
    }
}

impl Place for SshPlace {
    fn open(&self) -> Box<dyn Remote + '_> {
        Box::new(self.0.remote(&self.path()).0)
    }
}

/// Breaks at the greetings, among the keys, in the first request and far inside, in both directions.
fn mishap(number: u64) -> Mishap {
    let place = [0, 30, 700, 2_500, 4_000, 60_000, 700_000][(number / 3 % 7) as usize];
    match number % 6 {
        0 => Mishap::DropAsking(place),
        2 => Mishap::DropAnswering(place),
        4 => Mishap::EndAnswering(place),
        5 => Mishap::Delay(Duration::from_millis(2)),
        _ => Mishap::None,
    }
}

#[test]
fn work_arrives_once_and_whole_over_ssh_on_a_line_that_breaks() {
    let place = SshPlace::new();
    let line = Line::new(mishap);
    line.lead_to(SocketAddr::from(([127, 0, 0, 1], place.0.port)));
    let open = || place.0.remote_through(line.address.port(), &place.path()).0;
    let passing = |error: &SyncError| {
        let passes = matches!(error, SyncError::Unreachable { .. } | SyncError::NoWay { .. });
        assert!(passes || matches!(error, SyncError::Moved { .. }), "{error:?}");
    };
    let (lab, mut attempts) = (Lab::new(), 0);
    for round in 0..2 {
        lab.write("big.bin", noise(round + 1, 1_500_000));
        lab.write("small.txt", format!("{round}"));
        lab.commit("on");
        while let Err(error) = push_to(&lab, &open(), "main") {
            passing(&error);
            attempts += 1;
            assert!(attempts < 300, "a push never gets through");
            // A publication whose answer was lost has happened all the same.
            let there = place.open().describe().expect("a description").refs;
            if there.values().any(|at| at.commit == head(&lab)) {
                break;
            }
        }
        let other = Lab::new();
        while let Err(error) = fetch_from(&other, &open()) {
            passing(&error);
            attempts += 1;
            assert!(attempts < 300, "a fetch never gets through");
        }
        assert_eq!(seen(&other, "main"), Some(head(&lab)));
        assert_sound(&other);
    }
    assert!(attempts > 0, "the line never broke");
    assert_eq!(place.open().describe().expect("a description").mark, 2, "every publication counts once");
}

/// Puts a program of that name before all others at the other end.
fn sshd_with_program(name: &str, text: &str) -> Sshd {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let program = folder.join(name);
    fs::write(&program, text).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    Sshd::start(Some(&folder))
}

#[test]
fn a_missing_program_and_a_missing_repository_are_told_apart() {
    let without = sshd_with_program("other", "#!/bin/sh\n");
    let (remote, heard) = without.remote("/nowhere");
    let error = remote.describe().expect_err("nobody answers");
    assert!(matches!(&error, SyncError::NotPent { detail, .. } if detail.contains("no pent")), "{error:?}");
    assert!(
        heard.lock().expect("a lock").iter().any(|line| line.contains("pent")),
        "what the shell said is shown"
    );
    let with = Sshd::start(None);
    let (remote, _) = with.remote(&with.folder().join("nothing").display().to_string());
    assert!(matches!(remote.describe(), Err(SyncError::Nothing { .. })));
}

#[test]
fn a_shell_that_talks_and_another_version_are_named() {
    let talks = sshd_with_program("pent", "#!/bin/sh\necho 'Welcome, you have mail'\nexec cat\n");
    let error = talks.remote("/x").0.describe().expect_err("that is no answer");
    assert!(error.to_string().contains("you have mail"), "{error}");
    let newer = sshd_with_program("pent", "#!/bin/sh\nprintf 'PENTWIRE\\011\\000\\011\\000'\nexec cat\n");
    let error = newer.remote("/x").0.describe().expect_err("another version");
    assert!(matches!(error, SyncError::OtherVersion { theirs: (9, 9), .. }), "{error:?}");
}

#[test]
fn a_machine_that_cannot_be_reached_is_told_from_one_that_does_not_answer() {
    let sshd = Sshd::start(None);
    let (remote, _) = sshd.remote("/x");
    drop(sshd);
    let error = remote.describe().expect_err("nobody is there");
    assert!(matches!(error, SyncError::NoWay { .. }), "{error:?}");
}

#[test]
fn a_path_cannot_run_anything_at_the_other_end() {
    let sshd = Sshd::start(None);
    let touched = sshd.folder().join("touched");
    for path in ["/x'; touch TOUCHED; '", "$(touch TOUCHED)", "`touch TOUCHED`", "x\\'; touch TOUCHED #"] {
        let path = path.replace("TOUCHED", &touched.display().to_string());
        let error = sshd.remote(&path).0.describe().expect_err("no repository");
        assert!(matches!(error, SyncError::Nothing { .. }), "{path}: {error:?}");
    }
    assert!(!touched.exists());
}
