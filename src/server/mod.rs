//! Repositories over HTTP: the asynchronous edge around the same library that commands use.
//!
//! ```text
//! connection -> route -> limits -> who asks, and may they -> body -> (a thread) repository -> frames
//! ```
//!
//! [`routes`] says every path and what it needs; [`run`] is the one place where asynchronous code
//! begins and ends.

mod admit;
mod body;
mod connection;
mod handle;
pub mod rate;
pub mod routes;
pub mod sessions;
mod shares;
mod state;

use crate::app::error::AppError;
use crate::app::serve::places::Places;
use crate::app::serve::tokens::Tokens;
use crate::base::time::Clock;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use state::State;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;

/// Threads that work on requests at a time; others wait.
const WORKERS: usize = 32;
/// Threads beside them for what is short: signing in, and whether a caller may do what they ask for.
const BRIEF: usize = 8;
/// How long work that was begun may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(30);

/// How to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder that the repositories are in.
    pub repositories: PathBuf,
    /// How clients call this server: `host`, or `host:port` where it stands in addresses.
    pub names: Vec<String>,
    /// Certificates and key for TLS, as PEM files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether a proxy in front speaks TLS and says for whom it asks.
    pub behind_proxy: bool,
    /// Most bytes that one caller may have sent and not published; with `None`, as many as are left free.
    pub pending_max: Option<u64>,
}

/// What a running server tells whoever runs it.
pub struct Surroundings<'a> {
    /// The clock to go by.
    pub clock: Arc<dyn Clock>,
    /// Whether to stop.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Called once it listens.
    pub ready: &'a mut dyn FnMut(SocketAddr, bool),
    /// Takes a line about something that went wrong.
    pub log: Arc<dyn Fn(&str) + Send + Sync>,
}

/// Serves until it is told to stop; then finishes what was begun.
pub fn run(options: &Options, surroundings: Surroundings<'_>) -> Result<(), AppError> {
    let address = options.listen.to_string();
    if options.tls.is_none() && !options.behind_proxy && !options.listen.ip().is_loopback() {
        return Err(setting(
            &address,
            "without TLS only this machine itself is served; add --tls-cert and --tls-key, or --behind-proxy",
        ));
    }
    let places = Places::new(&options.repositories)?;
    let tls = options.tls.as_ref().map(|(chain, key)| tls_config(chain, key)).transpose()?;
    let io = |source| AppError::Io { action: "listening at", path: PathBuf::from(&address), source };
    let listener = TcpListener::bind(options.listen).map_err(io)?;
    listener.set_nonblocking(true).map_err(io)?;
    let bound = listener.local_addr().map_err(io)?;
    let names = names(options, bound)?;
    let tokens = Tokens::new(&places.own_dir());
    let state = State::new(
        places,
        tokens,
        names,
        (options.behind_proxy, options.pending_max),
        surroundings.clock,
        surroundings.log,
    );
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(WORKERS + BRIEF)
        .thread_name("pent-server")
        .enable_io()
        .enable_time()
        .build()
        .map_err(io)?;
    let outcome = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        (surroundings.ready)(bound, tls.is_some());
        connection::accept(listener, tls, Arc::new(state), surroundings.stop, GRACE).await
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome.map_err(io)
}

fn setting(text: &str, reason: &str) -> AppError {
    AppError::Setting { text: text.to_owned(), reason: reason.to_owned() }
}

/// How clients call the server. On this machine that is known.
fn names(options: &Options, bound: SocketAddr) -> Result<Vec<String>, AppError> {
    if !options.names.is_empty() {
        return Ok(options.names.clone());
    }
    if !bound.ip().is_loopback() {
        let reason = "say with --name how clients call this server: an answer that is signed for it must be no use elsewhere";
        return Err(setting(&bound.to_string(), reason));
    }
    let port = bound.port();
    Ok(vec![format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")])
}

fn tls_config(chain: &Path, key: &Path) -> Result<Arc<rustls::ServerConfig>, AppError> {
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |error: &dyn std::fmt::Display| AppError::Io {
            action: "reading",
            path: path.clone(),
            source: std::io::Error::other(error.to_string()),
        }
    };
    let (in_chain, in_key) = (wrong(chain), wrong(key));
    let certificates = CertificateDer::pem_file_iter(chain).map_err(|error| in_chain(&error))?;
    let certificates: Vec<CertificateDer<'static>> =
        certificates.collect::<Result<_, _>>().map_err(|error| in_chain(&error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| in_key(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| in_chain(&error))?
        .with_no_client_auth()
        .with_single_cert(certificates, secret)
        .map_err(|error| in_chain(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
