//! A remote behind HTTP: a server in the same process, clients over loopback.

use super::{Place, REPOSITORY};
use pentimento::app::serve::places::{OWN_DIR, PEOPLE_FILE};
use pentimento::app::serve::tokens::{NewToken, Tokens};
use pentimento::base::time::{Clock, Timestamp};
use pentimento::object::chunker::ChunkerParameters;
use pentimento::rules::access::Permission;
use pentimento::rules::policy::Handle;
use pentimento::server::{self, Options, Surroundings};
use pentimento::sync::http::{HttpCarrier, HttpReach};
use pentimento::sync::remote::Remote;
use pentimento::sync::sign_in::{Secret, SignIn};
use pentimento::sync::wire::WireRemote;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// A clock that goes on only when it is told to.
pub struct HandClock(pub AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::utc(self.0.load(Ordering::Relaxed))
    }
}

/// A server in this process.
pub struct TestServer {
    pub folder: tempfile::TempDir,
    pub address: SocketAddr,
    pub clock: Arc<HandClock>,
    pub lines: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::start_called(folder, |own| vec![own.to_string()])
    }

    /// Serves a folder under names that may rest on the server's own address.
    pub fn start_called(folder: tempfile::TempDir, names: impl Fn(SocketAddr) -> Vec<String>) -> Self {
        Self::start_at(folder, &|options| options.names = names(options.listen))
    }

    /// A server like others but for some options.
    pub fn start_with(change: &dyn Fn(&mut Options)) -> Self {
        Self::start_at(tempfile::tempdir().expect("a temporary folder"), change)
    }

    fn start_at(folder: tempfile::TempDir, change: &dyn Fn(&mut Options)) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let listen = port.local_addr().expect("an address");
        drop(port);
        let clock = Arc::new(HandClock(AtomicI64::new(1_772_381_999_000)));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut options = Options {
            listen,
            repositories: folder.path().to_owned(),
            names: vec![listen.to_string()],
            tls: None,
            behind_proxy: false,
            pending_max: None,
        };
        change(&mut options);
        let (sender, receiver) = mpsc::channel();
        let thread = {
            let (clock, lines, stop) = (clock.clone(), lines.clone(), stop.clone());
            std::thread::spawn(move || {
                let log = Arc::new(move |line: &str| lines.lock().expect("a lock").push(line.to_owned()));
                let mut ready = |address, _| sender.send(address).expect("somebody waits");
                let surroundings =
                    Surroundings { clock, stop: &|| stop.load(Ordering::Relaxed), ready: &mut ready, log };
                server::run(&options, surroundings).expect("a server that ends well");
            })
        };
        let address = receiver.recv_timeout(Duration::from_secs(30)).expect("a server that listens");
        Self { folder, address, clock, lines, stop, thread: Some(thread) }
    }

    pub fn own_dir(&self) -> PathBuf {
        self.folder.path().join(OWN_DIR)
    }

    pub fn tokens(&self) -> Tokens {
        Tokens::new(&self.own_dir())
    }

    /// Makes a token for one repository.
    pub fn token(&self, place: &str, may: &[Permission], works_for: Option<&str>) -> String {
        let wanted = NewToken {
            note: "a test".into(),
            repositories: vec![place.into()],
            may: may.to_vec(),
            works_for: works_for.map(|handle| Handle::new(handle).expect("a handle")),
            days: 30,
        };
        self.tokens().create(&wanted, &*self.clock).expect("a token").token
    }

    /// Lists people whom the server lets read and push where there is no policy.
    pub fn list_people(&self, keys: &[String]) {
        fs::create_dir_all(self.own_dir()).expect("a folder");
        fs::write(self.own_dir().join(PEOPLE_FILE), keys.join("\n")).expect("written");
    }

    /// How to reach a repository, through this or another address.
    pub fn reach(&self, place: &str, at: SocketAddr) -> HttpReach {
        HttpReach {
            address: format!("http://{at}/{place}"),
            secure: false,
            server: at.to_string(),
            token: None,
            sign_in: None,
            proxy: None,
            patience: Duration::from_secs(30),
        }
    }

    pub fn with_token(&self, place: &str, token: &str) -> WireRemote<HttpCarrier> {
        let token = Some(Secret::new(token.to_owned()));
        remote(HttpReach { token, ..self.reach(place, self.address) })
    }

    pub fn as_person(&self, place: &str, person: Arc<dyn SignIn>) -> WireRemote<HttpCarrier> {
        remote(HttpReach { sign_in: Some(person), ..self.reach(place, self.address) })
    }

    /// Begins a repository and gives a token that may read and push there.
    pub fn begin(&self, place: &str) -> String {
        let token = self.token(place, &[Permission::Begin, Permission::Read, Permission::Push], None);
        let begun = self.with_token(place, &token).begin(REPOSITORY, ChunkerParameters::default());
        begun.expect("a new repository");
        token
    }

    /// Tells the server to stop, and waits until it has.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a server that ends well");
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn remote(reach: HttpReach) -> WireRemote<HttpCarrier> {
    WireRemote::new(HttpCarrier::new(reach).expect("a carrier"))
}

/// A repository behind HTTP.
pub struct HttpPlace {
    server: TestServer,
    token: String,
}

impl HttpPlace {
    pub fn new() -> Self {
        let server = TestServer::start();
        let token = server.begin("studio/brand");
        Self { server, token }
    }

    /// Where the repository is.
    pub fn folder(&self) -> PathBuf {
        self.server.folder.path().join("studio/brand")
    }
}

impl Place for HttpPlace {
    fn open(&self) -> Box<dyn Remote + '_> {
        Box::new(self.server.with_token("studio/brand", &self.token))
    }
}
