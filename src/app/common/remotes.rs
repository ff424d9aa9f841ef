//! Opens remotes by their names or addresses.

use crate::app::error::AppError;
use crate::base::id::RepositoryId;
use crate::object::chunker::ChunkerParameters;
use crate::repo::{Repository, View};
use crate::store::bucket::{Bucket, FolderBucket};
use crate::sync::SyncError;
use crate::sync::address::Address;
use crate::sync::bucket::BucketRemote;
use crate::sync::http::{HttpCarrier, HttpReach, PATIENCE};
use crate::sync::remote::{Description, Remote};
use crate::sync::sign_in::{Secret, SignIn, token_for};
use crate::sync::ssh::{Notice, SshDial, program_words};
use crate::sync::tracking::{DEFAULT_REMOTE, RemoteRecord, check_remote_name, remote_record, remote_records};
use crate::sync::wire::WireRemote;
use crate::sync::wire::pipe::PipeCarrier;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folder of what is kept about remotes, inside `.pent`.
const REMOTES_DIR: &str = "remotes";

/// How the outside is reached: what the library does not find out by itself.
#[derive(Clone, Default)]
pub struct Reach {
    /// Variables of the environment by which cloud services find credentials and endpoints.
    pub variables: Vec<(String, String)>,
    /// The person's home folder, where the tools of cloud services keep theirs.
    pub home: Option<PathBuf>,
    /// How servers are reached.
    pub network: Network,
}

/// How programs at the other end are reached.
#[derive(Clone, Default)]
pub struct Network {
    /// The `ssh` to run, with arguments that come first, parted by blanks.
    pub ssh: Option<String>,
    /// Shows what the other end of ssh says to people.
    pub notice: Option<Notice>,
    /// Tokens for servers: `token@host`, parted by blanks.
    pub tokens: Option<Secret>,
    /// Who signs in to servers.
    pub sign_in: Option<Arc<dyn SignIn>>,
    /// The proxy for `https`, for `http`, and the hosts that are reached without one.
    pub https_proxy: Option<String>,
    /// The proxy for `http`.
    pub http_proxy: Option<String>,
    /// Hosts and domains that are reached without a proxy, parted by commas.
    pub no_proxy: Option<String>,
    /// Hosts that may be spoken to without TLS, parted by blanks.
    pub insecure: Option<String>,
}

/// A remote that is open.
pub struct OpenRemote {
    /// What this repository calls it.
    pub name: String,
    /// What is remembered of it.
    pub record: RemoteRecord,
    /// The remote itself.
    pub remote: Box<dyn Remote>,
}

/// Folder of what is kept about one remote.
pub fn remote_dir(pent_dir: &Path, name: &str) -> PathBuf {
    pent_dir.join(REMOTES_DIR).join(name)
}

/// Notes of what was sent to a remote.
pub fn sent_dir(pent_dir: &Path, name: &str) -> PathBuf {
    remote_dir(pent_dir, name).join("sent")
}

/// The name of the remote that is meant when none is given: `origin`, or the only one.
pub fn default_remote(view: &View) -> Result<String, AppError> {
    let mut names: Vec<String> = remote_records(view)?.into_iter().map(|(name, _)| name).collect();
    if names.iter().any(|name| name == DEFAULT_REMOTE) {
        return Ok(DEFAULT_REMOTE.to_owned());
    }
    match (names.pop(), names.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(AppError::NameUnknown { kind: "remote", name: DEFAULT_REMOTE.to_owned() }),
    }
}

/// What is remembered of a remote.
pub fn find_record(view: &View, name: &str) -> Result<RemoteRecord, AppError> {
    check_remote_name(name)?;
    let found = remote_record(view, name)?;
    found.ok_or_else(|| AppError::NameUnknown { kind: "remote", name: name.to_owned() })
}

/// Opens the remote of that name, or the one that is meant when none is given.
pub fn open_remote(
    repository: &Repository,
    name: Option<&str>,
    reach: &Reach,
) -> Result<OpenRemote, AppError> {
    let view = repository.view()?;
    let name = match name {
        Some(name) => name.to_owned(),
        None => default_remote(&view)?,
    };
    let record = find_record(&view, &name)?;
    let cache = remote_dir(repository.pent_dir(), &name).join("indexes");
    let remote: Box<dyn Remote> = match &record.address {
        // It was there when it was added: a share that is not mounted is no reason to begin another.
        Address::Folder { .. } => Box::new(open_bucket(&record.address, Some(cache), reach)?.expected()),
        other => open_address(other, Some(cache), reach)?,
    };
    Ok(OpenRemote { name, record, remote })
}

/// Opens the remote at an address.
pub fn open_address(
    address: &Address,
    cache: Option<PathBuf>,
    reach: &Reach,
) -> Result<Box<dyn Remote>, AppError> {
    match address {
        Address::Ssh { .. } => Ok(Box::new(open_ssh(address, reach)?)),
        Address::Http { .. } => Ok(Box::new(open_http(address, reach)?)),
        bucket => Ok(Box::new(open_bucket(bucket, cache, reach)?)),
    }
}

/// Insists that what was found at an address is this repository.
pub fn insist_on_ours(repository: &Repository, found: RepositoryId) -> Result<(), AppError> {
    if found == repository.id() {
        return Ok(());
    }
    Err(SyncError::OtherRepository { expected: repository.id(), found }.into())
}

/// Begins a repository at an address where a program is at the other end; `None` where there is none.
pub fn begin_at(
    address: &Address,
    reach: &Reach,
    repository: RepositoryId,
    chunker: ChunkerParameters,
) -> Result<Option<Description>, AppError> {
    Ok(match address {
        Address::Ssh { .. } => Some(open_ssh(address, reach)?.begin(repository, chunker)?),
        Address::Http { .. } => Some(open_http(address, reach)?.begin(repository, chunker)?),
        _ => None,
    })
}

fn open_ssh(address: &Address, reach: &Reach) -> Result<WireRemote<PipeCarrier<SshDial>>, AppError> {
    let Address::Ssh { user, host, port, path } = address else {
        return Err(AppError::RemoteKind { address: address.to_string() });
    };
    let dial = SshDial {
        address: address.to_string(),
        program: program_words(reach.network.ssh.as_deref()),
        user: user.clone(),
        host: host.clone(),
        port: *port,
        path: path.clone(),
        notice: reach.network.notice.clone().unwrap_or_else(|| Arc::new(|_| {})),
    };
    Ok(WireRemote::new(PipeCarrier::new(dial)))
}

fn open_http(address: &Address, reach: &Reach) -> Result<WireRemote<HttpCarrier>, AppError> {
    let Address::Http { secure, host, port, .. } = address else {
        return Err(AppError::RemoteKind { address: address.to_string() });
    };
    let shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let server = port.map_or_else(|| shown.clone(), |port| format!("{shown}:{port}"));
    let network = &reach.network;
    let listed = network.insecure.as_deref().unwrap_or_default();
    let is_listed = listed.split_whitespace().any(|entry| entry == server || entry == shown);
    if !secure && !is_loopback(host) && !is_listed {
        return Err(AppError::Insecure { address: address.to_string(), server });
    }
    let carrier = HttpCarrier::new(HttpReach {
        address: address.to_string().trim_end_matches('/').to_owned(),
        secure: *secure,
        token: network.tokens.as_ref().and_then(|tokens| token_for(tokens.reveal(), &server)),
        server,
        sign_in: network.sign_in.clone(),
        proxy: proxy_for(network, *secure, host),
        patience: PATIENCE,
    });
    Ok(WireRemote::new(carrier?))
}

/// Whether a host is this machine itself.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The proxy to go through to a host; never to this machine itself.
fn proxy_for(network: &Network, secure: bool, host: &str) -> Option<String> {
    let proxy = if secure { &network.https_proxy } else { &network.http_proxy };
    let except = network.no_proxy.as_deref().unwrap_or_default();
    let is_excepted = except.split(',').map(|entry| entry.trim().trim_start_matches('.')).any(|entry| {
        let within = || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.'));
        entry == "*" || (!entry.is_empty() && (host == entry || within()))
    });
    if is_loopback(host) || is_excepted { None } else { proxy.clone() }
}

/// Opens the bucket at an address; refuses addresses of other kinds.
pub fn open_bucket(
    address: &Address,
    cache: Option<PathBuf>,
    reach: &Reach,
) -> Result<BucketRemote, AppError> {
    let bucket: Arc<dyn Bucket> = match address {
        Address::Folder { path } => Arc::new(FolderBucket::open(path)),
        Address::Ssh { .. } | Address::Http { .. } => {
            return Err(AppError::CaresForItself { address: address.to_string() });
        }
        other => open_cloud(other, cache.clone(), reach)?,
    };
    Ok(BucketRemote::new(bucket, address.to_string(), cache))
}

#[cfg(feature = "cloud")]
fn open_cloud(address: &Address, notes: Option<PathBuf>, reach: &Reach) -> Result<Arc<dyn Bucket>, AppError> {
    use crate::store::bucket::{Cloud, CloudBucket, Surroundings};
    let (cloud, bucket, prefix) = match address {
        Address::S3 { bucket, prefix } => (Cloud::S3, bucket, prefix),
        Address::Azure { container, prefix } => (Cloud::Azure, container, prefix),
        other => return Err(AppError::RemoteKind { address: other.to_string() }),
    };
    let around = Surroundings { variables: &reach.variables, home: reach.home.as_deref() };
    let opened = CloudBucket::open(cloud, bucket, prefix, around);
    let opened = opened.map_err(crate::sync::SyncError::from)?;
    Ok(Arc::new(match notes {
        Some(folder) => opened.noting(folder),
        None => opened,
    }))
}

#[cfg(not(feature = "cloud"))]
fn open_cloud(address: &Address, _: Option<PathBuf>, _: &Reach) -> Result<Arc<dyn Bucket>, AppError> {
    match address {
        Address::S3 { .. } | Address::Azure { .. } => {
            Err(AppError::RemoteLeftOut { address: address.to_string(), feature: "cloud" })
        }
        other => Err(AppError::RemoteKind { address: other.to_string() }),
    }
}

/// Random bytes that name a publication.
pub fn new_token() -> Result<[u8; 16], AppError> {
    let mut token = [0u8; 16];
    getrandom::fill(&mut token).map_err(|error| AppError::Io {
        action: "asking for random bytes from",
        path: PathBuf::from("the system"),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        Network {
            https_proxy: Some("http://proxy:3128".to_owned()),
            no_proxy: Some("studio.example, .intern".to_owned()),
            ..Network::default()
        }
    }

    #[test]
    fn a_proxy_is_used_for_others_only() {
        let proxied = |host: &str| proxy_for(&network(), true, host).is_some();
        assert!(proxied("assets.example") && proxied("other-studio.example"));
        for direct in ["studio.example", "a.studio.example", "nas.intern", "localhost", "127.0.0.1", "::1"] {
            assert!(!proxied(direct), "{direct}");
        }
        assert_eq!(proxy_for(&network(), false, "assets.example"), None);
    }

    #[test]
    fn without_tls_only_this_machine_and_hosts_that_were_named_are_spoken_to() {
        let open = |text: &str, insecure: Option<&str>| {
            let address = Address::parse(text, Path::new("/")).expect("an address");
            let network = Network { insecure: insecure.map(str::to_owned), ..Network::default() };
            open_http(&address, &Reach { network, ..Reach::default() }).is_ok()
        };
        assert!(open("http://127.0.0.1:8080/x", None) && open("http://localhost/x", None));
        assert!(open("http://[::1]:8080/x", None));
        assert!(
            !open("http://nas.local:8080/x", None) && !open("http://nas.local:8080/x", Some("nas.local:81"))
        );
        assert!(
            open("http://nas.local:8080/x", Some("a nas.local:8080")) && open("https://nas.local/x", None)
        );
        assert!(!open("http://127.0.0.1.evil.example/x", None));
    }
}
