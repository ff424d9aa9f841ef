//! Servers of others that tests speak to: on this machine only, on a port of their own, gone when the test
//! is, however it ends. `tests/tools` knows where the programs are.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to begin, in seconds: machines that build meanwhile are slow.
const PATIENCE_S: u64 = 90;

/// A server that is running.
pub struct Server {
    /// Waits until its input ends, and then ends the server.
    keeper: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The address, for whoever stands in between.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// A folder that is gone with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a program with the arguments that are made for a port and a folder, and waits until it takes
    /// connections.
    fn start(
        program: &str,
        arguments: impl Fn(u16, &Path) -> Vec<String>,
        variables: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        // The shell sees its input end when the test is over or killed.
        let keep =
            r#""$@" </dev/null & child=$!; read -r _; kill "$child" 2>/dev/null; wait "$child" 2>/dev/null"#;
        let keeper = Command::new("sh")
            .args(["-c", keep, "sh", program])
            .args(arguments(port, folder.path()))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("a shell");
        let server = Self { keeper, folder, port };
        server.wait_until_it_listens(program);
        server
    }

    fn wait_until_it_listens(&self, program: &str) {
        let began = Instant::now();
        let address = self.address();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            let log = || std::fs::read_to_string(self.folder().join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(PATIENCE_S), "{program} does not start: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut input) = self.keeper.stdin.take() {
            let _ = input.write_all(b"over\n");
        }
        let _ = self.keeper.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Where a program is; `None` when it is not there and nothing may be fetched.
pub fn tool(name: &str) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    let output = Command::new(script).arg(name).output().expect("tests/tools runs");
    if output.status.code() == Some(3) {
        eprintln!("{name} is left out, because of PENT_OFFLINE=1");
        return None;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} is needed; PENT_OFFLINE=1 leaves it out.\n{said}");
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// An S3 server that keeps conditions on writing. `checks_signatures` has it refuse whoever signs with other
/// keys than those that it gave out itself.
pub fn moto(checks_signatures: bool) -> Option<Server> {
    let arguments = |port: u16, _: &Path| {
        vec!["-H".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), port.to_string()]
    };
    // The first requests make a user with keys of its own, and a bucket.
    let variables: &[(&str, &str)] =
        if checks_signatures { &[("INITIAL_NO_AUTH_ACTION_COUNT", "4")] } else { &[] };
    Some(Server::start(&tool("moto")?, arguments, variables))
}

/// An S3 server that checks every signature and keeps conditions on writing, with a bucket.
pub fn s3s(bucket: &str, key: &str, secret: &str) -> Option<Server> {
    let arguments = |port: u16, folder: &Path| {
        let served = folder.join("served");
        std::fs::create_dir_all(served.join(bucket)).expect("a bucket");
        let port = port.to_string();
        let words = ["--host", "127.0.0.1", "--port", &port, "--access-key", key, "--secret-key", secret];
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        words.push(served.display().to_string());
        words
    };
    Some(Server::start(&tool("s3s-fs")?, arguments, &[]))
}

/// An S3 server that checks signatures and forgets conditions on writing.
pub fn rclone(key: &str, secret: &str) -> Option<Server> {
    let arguments = |port: u16, folder: &Path| {
        let served = folder.join("served");
        std::fs::create_dir_all(served.join("pent-test")).expect("a bucket");
        let words = ["serve", "s3", "--auth-key", &format!("{key},{secret}"), "--addr"];
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        words.extend([format!("127.0.0.1:{port}"), served.display().to_string()]);
        words
    };
    Some(Server::start(&tool("rclone")?, arguments, &[("RCLONE_CONFIG", "/dev/null")]))
}

/// A server of Azure Blob Storage with the account that is the same everywhere.
pub fn azurite() -> Option<Server> {
    let arguments = |port: u16, folder: &Path| {
        let place = folder.join("served").display().to_string();
        let port = port.to_string();
        let words = [
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
            &port,
            "--location",
            &place,
            "--silent",
            "--skipApiVersionCheck",
            "--disableTelemetry",
        ];
        words.iter().map(|word| (*word).to_owned()).collect()
    };
    Some(Server::start(&tool("azurite")?, arguments, &[]))
}

/// What a server answered: the status and all after it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Server {
    /// Sends one request and reads the answer.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        use std::io::Read as _;
        let mut line = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("a connection");
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {more}\r\n{body}",
            self.port
        );
        line.write_all(request.as_bytes()).expect("a request");
        let mut bytes = Vec::new();
        line.read_to_end(&mut bytes).expect("an answer");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        Answer { status, text }
    }
}
