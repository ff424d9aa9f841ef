//! A bucket in an object store of a cloud, through the `object_store` crate.
//!
//! That crate is asynchronous; here, and nowhere else below the server, it is waited for. Requests of
//! several threads go on at once. Credentials and endpoints come from the variables that each cloud
//! documents (`AWS_...`, `AZURE_...`), which the caller hands in; none is ever stored.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::path::Path;
use object_store::{
    BackoffConfig, Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, RetryConfig,
    UpdateVersion,
};
use tokio::runtime::Runtime;

use super::memory::too_long;
use super::{Bucket, BucketError, BucketResult, Listed, Version, Write, check_key};

/// Threads that drive requests: they only move bytes.
const DRIVERS: usize = 2;

/// Which object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// S3 and services that speak like it.
    S3,
    /// Azure Blob Storage.
    Azure,
}

/// A prefix of a bucket of an object store.
pub struct CloudBucket {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    runtime: Runtime,
}

impl fmt::Debug for CloudBucket {
    /// The store's own form may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudBucket").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl CloudBucket {
    /// Opens a prefix of a bucket or container; nothing is asked yet. `variables` are those of the
    /// environment by which the cloud's tools find credentials, region and endpoint.
    pub fn open(
        cloud: Cloud,
        bucket: &str,
        prefix: &str,
        variables: &[(String, String)],
    ) -> BucketResult<Self> {
        // A second provider is refused, and the first one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = match cloud {
            Cloud::S3 => open_s3(bucket, variables),
            Cloud::Azure => open_azure(bucket, variables),
        };
        let store = store.map_err(|error| told("opening", bucket, error))?;
        Self::over(store, prefix)
    }

    /// Uses any object store.
    pub fn over(store: Arc<dyn ObjectStore>, prefix: &str) -> BucketResult<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(DRIVERS)
            .enable_all()
            .build()
            .map_err(|error| BucketError::io("opening", prefix, error))?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { store, prefix, runtime })
    }

    fn path(&self, key: &str) -> BucketResult<Path> {
        check_key(key)?;
        let path = Path::parse(format!("{}{key}", self.prefix));
        path.map_err(|_| BucketError::Key { key: key.to_owned() })
    }

    fn wait<T>(&self, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.runtime.block_on(request)
    }

    /// Reads a whole object of at most `limit` bytes, with its version.
    fn read(&self, key: &str, limit: u64) -> BucketResult<Option<(Vec<u8>, Option<String>)>> {
        let path = self.path(key)?;
        let read = self.wait(async {
            let found = self.store.get(&path).await?;
            if found.meta.size > limit {
                return Ok(None);
            }
            let version = found.meta.e_tag.clone();
            Ok(Some((found.bytes().await?.to_vec(), version)))
        });
        match read {
            Ok(Some(read)) => Ok(Some(read)),
            Ok(None) => Err(too_long("reading", key)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(told("reading", key, error)),
        }
    }

    /// The moment that it is by the store's clock: that of an object written now.
    fn now(&self) -> BucketResult<chrono::DateTime<chrono::Utc>> {
        let key = "probe/clock";
        let path = self.path(key)?;
        let now = self.wait(async {
            self.store.put(&path, PutPayload::from_static(b"now")).await?;
            Ok(self.store.head(&path).await?.last_modified)
        });
        now.map_err(|error| told("asking for the time of", key, error))
    }
}

fn retry() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: 5, retry_timeout: Duration::from_secs(60) }
}

fn open_s3(bucket: &str, variables: &[(String, String)]) -> Result<Arc<dyn ObjectStore>, Error> {
    let mut builder = AmazonS3Builder::new().with_region("us-east-1");
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("AWS_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    Ok(Arc::new(builder.with_bucket_name(bucket).with_retry(retry()).build()?))
}

fn open_azure(container: &str, variables: &[(String, String)]) -> Result<Arc<dyn ObjectStore>, Error> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("AZURE_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    Ok(Arc::new(builder.with_container_name(container).with_retry(retry()).build()?))
}

/// An error of the store in terms that a caller can act on. Stores name every other failure
/// "generic"; they have tried several times by then, but a later attempt may still succeed.
fn told(action: &'static str, key: &str, error: Error) -> BucketError {
    let key = key.to_owned();
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => BucketError::Denied { action, key },
        Error::Generic { .. } | Error::JoinError { .. } => {
            BucketError::Transient { action, key, source: Box::new(error) }
        }
        error => BucketError::Failed { action, key, source: Box::new(error) },
    }
}

impl Bucket for CloudBucket {
    fn put(&self, key: &str, bytes: &[u8]) -> BucketResult<()> {
        let path = self.path(key)?;
        let payload = PutPayload::from(bytes.to_vec());
        let put = self.wait(self.store.put(&path, payload));
        put.map(|_| ()).map_err(|error| told("writing", key, error))
    }

    fn get(&self, key: &str, limit: u64) -> BucketResult<Option<Vec<u8>>> {
        Ok(self.read(key, limit)?.map(|(bytes, _)| bytes))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> BucketResult<Option<Vec<u8>>> {
        let path = self.path(key)?;
        let expected = (range.end - range.start) as usize;
        match self.wait(self.store.get_range(&path, range)) {
            Ok(bytes) if bytes.len() == expected => Ok(Some(bytes.to_vec())),
            Ok(_) => Err(BucketError::CutShort { key: key.to_owned() }),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(told("reading", key, error)),
        }
    }

    fn length(&self, key: &str) -> BucketResult<Option<u64>> {
        let path = self.path(key)?;
        match self.wait(self.store.head(&path)) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(told("looking at", key, error)),
        }
    }

    fn delete(&self, key: &str) -> BucketResult<()> {
        let path = self.path(key)?;
        match self.wait(self.store.delete(&path)) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(told("removing", key, error)),
        }
    }

    fn read_cell(&self, key: &str, limit: u64) -> BucketResult<Option<(Vec<u8>, Version)>> {
        let Some((bytes, version)) = self.read(key, limit)? else { return Ok(None) };
        let version = version.ok_or(BucketError::Unconditional { reason: "it gives no versions (ETag)" })?;
        Ok(Some((bytes, Version(version))))
    }

    fn write_cell(&self, key: &str, bytes: &[u8], seen: Option<&Version>) -> BucketResult<Write> {
        let path = self.path(key)?;
        let mode = match seen {
            None => PutMode::Create,
            Some(version) => PutMode::Update(UpdateVersion { e_tag: Some(version.0.clone()), version: None }),
        };
        let payload = PutPayload::from(bytes.to_vec());
        match self.wait(self.store.put_opts(&path, payload, PutOptions::from(mode))) {
            Ok(put) => {
                let version =
                    put.e_tag.ok_or(BucketError::Unconditional { reason: "it gives no versions (ETag)" })?;
                Ok(Write::Done(Version(version)))
            }
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. }) => {
                Ok(Write::Conflict)
            }
            // The answer may have been lost on its way back.
            Err(Error::Generic { .. } | Error::JoinError { .. }) => Ok(Write::Unknown),
            Err(Error::NotSupported { .. } | Error::NotImplemented { .. }) => {
                Err(BucketError::Unconditional { reason: "it does not know conditions on writing" })
            }
            Err(error) => Err(told("writing", key, error)),
        }
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(Listed)) -> BucketResult<()> {
        let now = self.now()?;
        // Stores list by whole parts of a path; the rest is for us to filter.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let root = Path::parse(format!("{}{folder}", self.prefix));
        let root = root.map_err(|_| BucketError::Key { key: prefix.to_owned() })?;
        let mut objects = self.store.list(Some(&root));
        while let Some(meta) = self.runtime.block_on(objects.next()) {
            let meta = meta.map_err(|error| told("listing", prefix, error))?;
            let full = meta.location.to_string();
            let Some(key) = full.strip_prefix(&self.prefix).filter(|key| key.starts_with(prefix)) else {
                continue;
            };
            let age = (now - meta.last_modified).to_std().unwrap_or_default();
            each(Listed { key: key.to_owned(), length: meta.size, age });
        }
        Ok(())
    }
}
