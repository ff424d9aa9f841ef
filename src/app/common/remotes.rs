//! Opens remotes by their names or addresses.

use crate::app::error::AppError;
use crate::repo::{Repository, View};
use crate::store::bucket::{Bucket, FolderBucket};
use crate::sync::address::Address;
use crate::sync::bucket::BucketRemote;
use crate::sync::remote::Remote;
use crate::sync::tracking::{DEFAULT_REMOTE, RemoteRecord, check_remote_name, remote_record, remote_records};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folder of what is kept about remotes, inside `.pent`.
const REMOTES_DIR: &str = "remotes";

/// How the outside is reached: what the library does not find out by itself.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Variables of the environment by which cloud services find credentials and endpoints.
    pub variables: Vec<(String, String)>,
    /// The person's home folder, where the tools of cloud services keep theirs.
    pub home: Option<PathBuf>,
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
    let remote = open_address(&record.address, Some(cache), reach)?;
    Ok(OpenRemote { name, record, remote })
}

/// Opens the remote at an address.
pub fn open_address(
    address: &Address,
    cache: Option<PathBuf>,
    reach: &Reach,
) -> Result<Box<dyn Remote>, AppError> {
    Ok(Box::new(open_bucket(address, cache, reach)?))
}

/// Opens the bucket at an address; refuses addresses of other kinds.
pub fn open_bucket(
    address: &Address,
    cache: Option<PathBuf>,
    reach: &Reach,
) -> Result<BucketRemote, AppError> {
    let bucket: Arc<dyn Bucket> = match address {
        Address::Folder { path } => Arc::new(FolderBucket::open(path)),
        other => open_cloud(other, reach)?,
    };
    Ok(BucketRemote::new(bucket, address.to_string(), cache))
}

#[cfg(feature = "cloud")]
fn open_cloud(address: &Address, reach: &Reach) -> Result<Arc<dyn Bucket>, AppError> {
    use crate::store::bucket::{Cloud, CloudBucket, Surroundings};
    let (cloud, bucket, prefix) = match address {
        Address::S3 { bucket, prefix } => (Cloud::S3, bucket, prefix),
        Address::Azure { container, prefix } => (Cloud::Azure, container, prefix),
        other => return Err(AppError::RemoteKind { address: other.to_string() }),
    };
    let around = Surroundings { variables: &reach.variables, home: reach.home.as_deref() };
    let opened = CloudBucket::open(cloud, bucket, prefix, around);
    Ok(Arc::new(opened.map_err(crate::sync::SyncError::from)?))
}

#[cfg(not(feature = "cloud"))]
fn open_cloud(address: &Address, _: &Reach) -> Result<Arc<dyn Bucket>, AppError> {
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
