//! A bucket in an object store of a cloud, through the `object_store` crate.
//!
//! That crate is asynchronous; here, and nowhere else below the server, it is waited for. Requests of
//! several threads go on at once. `settings` says where credentials and endpoints come from, `client` how it is
//! spoken to, `parts` how long objects travel, `uploads` what becomes of those that were cut off.

mod client;
mod parts;
mod settings;
mod uploads;

pub use settings::Surroundings;

use std::error::Error as _;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    RetryConfig, UpdateVersion,
};
use tokio::runtime::Runtime;

use super::memory::too_long;
use super::{Bucket, BucketError, BucketResult, Listed, Version, Write, check_key};
use client::{LedElsewhere, Straight};
use parts::{Way, send_parts};
use uploads::{Upload, Uploads};

/// Threads that drive requests: they only move bytes.
const DRIVERS: usize = 2;
/// How long an answer may take, in seconds, bytes on the way apart.
const PATIENCE_S: u64 = 60;
/// The slowest line on which bytes still count as moving, in bytes a second.
const SLOWEST_BYTES: u64 = 32 << 10;
/// Length from which on an object is sent in parts, so that what of it has arrived when somebody is killed need not
/// be sent again; what is shorter costs one request.
const PARTS_FROM_BYTES: usize = 16 << 20;

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
    /// The same, for objects in parts.
    in_parts: Arc<dyn MultipartStore>,
    prefix: String,
    uploads: Uploads,
    way: Way,
    runtime: Runtime,
}

impl fmt::Debug for CloudBucket {
    /// The store's own form may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudBucket").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl CloudBucket {
    /// Opens a prefix of a bucket or container; nothing is asked yet. `around` is where the cloud's
    /// tools find credentials, region and endpoint.
    ///
    /// # Errors
    /// [`BucketError::Credentials`] when they would not find any.
    pub fn open(cloud: Cloud, bucket: &str, prefix: &str, around: Surroundings<'_>) -> BucketResult<Self> {
        // A second provider is refused, and the first one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let opening = |error| told("opening", bucket, error);
        match cloud {
            Cloud::S3 => Self::over(open_s3(bucket, settings::s3(around)?).map_err(opening)?, prefix),
            Cloud::Azure => {
                Self::over(open_azure(bucket, settings::azure(around)?).map_err(opening)?, prefix)
            }
        }
    }

    /// Uses any object store that takes objects in parts.
    pub fn over<S: ObjectStore + MultipartStore>(store: S, prefix: &str) -> BucketResult<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(DRIVERS)
            .enable_all()
            .build()
            .map_err(|error| BucketError::io("opening", prefix, error))?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let store = Arc::new(store);
        Ok(Self {
            in_parts: store.clone(),
            store,
            prefix,
            uploads: Uploads::default(),
            way: Way::new(),
            runtime,
        })
    }

    /// The same, which notes in a folder what it has begun to send in parts: after a kill the next one goes on with it.
    #[must_use]
    pub fn noting(self, folder: std::path::PathBuf) -> Self {
        Self { uploads: Uploads::in_folder(folder), ..self }
    }

    fn path(&self, key: &str) -> BucketResult<Path> {
        check_key(key)?;
        let path = Path::parse(format!("{}{key}", self.prefix));
        path.map_err(|_| BucketError::Key { key: key.to_owned() })
    }

    /// Waits for an answer that comes with, or to, so many bytes.
    fn wait<T>(&self, bytes: u64, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.runtime.block_on(in_time(bytes, request))
    }

    /// Reads a whole object of at most `limit` bytes, with its version.
    fn read(&self, key: &str, limit: u64) -> BucketResult<Option<(Vec<u8>, Option<String>)>> {
        let path = self.path(key)?;
        let found = match self.wait(0, self.store.get(&path)) {
            Ok(found) if found.meta.size > limit => return Err(too_long("reading", key)),
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(told("reading", key, error)),
        };
        let version = found.meta.e_tag.clone();
        let bytes = self.wait(found.meta.size, found.bytes());
        let bytes = bytes.map_err(|error| told("reading", key, error))?;
        Ok(Some((bytes.to_vec(), version)))
    }

    fn put_whole(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let put = async {
            let payload = PutPayload::from(bytes.to_vec());
            in_time(bytes.len() as u64, self.store.put(path, payload)).await
        };
        self.runtime.block_on(self.way.send(bytes.len(), put)).map(drop)
    }

    /// Sends a long object in parts, and goes on with what an earlier attempt left of it.
    fn put_in_parts(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        if let Some(left) = self.uploads.take(path) {
            match self.finish(left, bytes, true) {
                // The store has given it up, or lost parts of it.
                Err(Broken::Upload(_)) => {}
                outcome => return outcome.map_err(Broken::into_error),
            }
        }
        let id = self.wait(0, self.in_parts.create_multipart(path))?;
        self.finish(self.uploads.begin(path, id), bytes, false).map_err(Broken::into_error)
    }

    /// Sends what is missing of an upload and has the store put it together. What fails is left to the next
    /// attempt where it is noted, and given up where it is not.
    fn finish(&self, upload: Upload, bytes: &[u8], is_left: bool) -> Result<(), Broken> {
        // What the store itself turns down of an upload that was left, it does not have any more.
        let broken = |error: Error| match error {
            Error::NotFound { .. } => Broken::Upload(error),
            error if is_left && was_answered(&error) => Broken::Upload(error),
            error => Broken::Way(error),
        };
        let sent = self.runtime.block_on(send_parts(&*self.in_parts, &self.way, &upload, bytes));
        let put_together = sent.and_then(|parts| {
            let completed = self.in_parts.complete_multipart(&upload.path, &upload.id, parts);
            self.wait(bytes.len() as u64, completed).map(drop)
        });
        let put_together = put_together.map_err(broken);
        match put_together {
            Ok(()) => upload.forget(),
            // The answer may have been lost on its way back. Whoever writes this key writes these bytes.
            Err(_) if self.is_there(&upload.path, bytes.len() as u64) => upload.forget(),
            Err(Broken::Upload(error)) => {
                self.give_up(upload);
                return Err(Broken::Upload(error));
            }
            Err(error) => {
                self.uploads.leave(upload).into_iter().for_each(|upload| self.give_up(upload));
                return Err(error);
            }
        }
        Ok(())
    }

    fn is_there(&self, path: &Path, length: u64) -> bool {
        self.wait(0, self.store.head(path)).is_ok_and(|meta| meta.size == length)
    }

    /// Gives up an upload; it stays noted when that fails, and the next process tries again.
    fn give_up(&self, upload: Upload) {
        match self.wait(0, self.in_parts.abort_multipart(&upload.path, &upload.id)) {
            // It may have been finished, or given up, before its note was removed.
            Ok(()) | Err(Error::NotFound { .. }) => upload.forget(),
            Err(_) => {}
        }
    }

    /// The moment that it is by the store's clock: that of an object written now.
    fn now(&self) -> BucketResult<chrono::DateTime<chrono::Utc>> {
        let key = "probe/clock";
        let path = self.path(key)?;
        let now = self.wait(0, async {
            self.store.put(&path, PutPayload::from_static(b"now")).await?;
            Ok(self.store.head(&path).await?.last_modified)
        });
        now.map_err(|error| told("asking for the time of", key, error))
    }
}

/// What failed of an upload.
enum Broken {
    /// The way there: the next attempt goes on.
    Way(Error),
    /// The upload itself: it begins anew.
    Upload(Error),
}

impl Broken {
    fn into_error(self) -> Error {
        match self {
            Self::Way(error) | Self::Upload(error) => error,
        }
    }
}

/// Ends a request that takes longer than so many bytes may.
async fn in_time<T>(bytes: u64, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let patience = Duration::from_secs(PATIENCE_S + bytes / SLOWEST_BYTES);
    match tokio::time::timeout(patience, request).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(Error::Generic { store: "remote", source: Box::new(elapsed) }),
    }
}

/// Whoever asks tries again too, later and longer.
fn retry() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: 3, retry_timeout: Duration::from_secs(60) }
}

/// How long a request may take is for [`CloudBucket::wait`] to say, which knows how long it is. Plain HTTP
/// is spoken to whoever was named so.
fn options(endpoint: Option<&String>) -> ClientOptions {
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    ClientOptions::new().with_timeout_disabled().with_allow_http(is_plain)
}

fn last_of<'a, K: PartialEq>(settings: &'a [(K, String)], keys: &[K]) -> Option<&'a String> {
    settings.iter().rev().find(|(key, _)| keys.contains(key)).map(|(_, value)| value)
}

fn open_s3(bucket: &str, settings: Vec<(AmazonS3ConfigKey, String)>) -> Result<AmazonS3, Error> {
    let endpoint = last_of(&settings, &[AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint]);
    let mut builder =
        AmazonS3Builder::new().with_client_options(options(endpoint)).with_http_connector(Straight);
    for (key, value) in settings {
        builder = builder.with_config(key, value);
    }
    builder.with_bucket_name(bucket).with_retry(retry()).build()
}

fn open_azure(container: &str, settings: Vec<(AzureConfigKey, String)>) -> Result<MicrosoftAzure, Error> {
    let endpoint = last_of(&settings, &[AzureConfigKey::Endpoint]);
    let mut builder =
        MicrosoftAzureBuilder::new().with_client_options(options(endpoint)).with_http_connector(Straight);
    for (key, value) in settings {
        builder = builder.with_config(key, value);
    }
    builder.with_container_name(container).with_retry(retry()).build()
}

/// The first cause of an error that is of this kind.
fn cause<T: std::error::Error + 'static>(error: &Error) -> Option<&T> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// Whether no connection came about, so that nothing was asked.
fn is_unreached(error: &Error) -> bool {
    cause::<HttpError>(error).is_some_and(|cause| cause.kind() == HttpErrorKind::Connect)
}

/// Whether the store answered, and it was not the line that broke.
fn was_answered(error: &Error) -> bool {
    cause::<HttpError>(error).is_none() && cause::<tokio::time::error::Elapsed>(error).is_none()
}

/// Whether nothing of what was asked can have happened.
fn is_in_vain(error: &Error) -> bool {
    is_unreached(error) || cause::<LedElsewhere>(error).is_some()
}

/// An error of the store in terms that a caller can act on. Stores name every other failure
/// "generic"; they have tried several times by then, but a later attempt may still succeed.
fn told(action: &'static str, key: &str, error: Error) -> BucketError {
    let key = key.to_owned();
    if is_unreached(&error) {
        return BucketError::Unreachable { action, key, source: Box::new(error) };
    }
    if let Some(elsewhere) = cause::<LedElsewhere>(&error) {
        return BucketError::LedElsewhere { action, key, host: elsewhere.host.clone() };
    }
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
        let is_long = bytes.len() >= PARTS_FROM_BYTES;
        let put = if is_long { self.put_in_parts(&path, bytes) } else { self.put_whole(&path, bytes) };
        put.map_err(|error| told("writing", key, error))
    }

    fn goes_on(&self, length: u64) -> bool {
        length >= PARTS_FROM_BYTES as u64 && self.uploads.are_noted()
    }

    fn give_up_what_was_left(&self) {
        self.uploads.take_all().into_iter().for_each(|upload| self.give_up(upload));
    }

    fn get(&self, key: &str, limit: u64) -> BucketResult<Option<Vec<u8>>> {
        Ok(self.read(key, limit)?.map(|(bytes, _)| bytes))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> BucketResult<Option<Vec<u8>>> {
        let path = self.path(key)?;
        let expected = (range.end - range.start) as usize;
        match self.wait(expected as u64, self.store.get_range(&path, range)) {
            Ok(bytes) if bytes.len() == expected => Ok(Some(bytes.to_vec())),
            Ok(_) => Err(BucketError::CutShort { key: key.to_owned() }),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(told("reading", key, error)),
        }
    }

    fn length(&self, key: &str) -> BucketResult<Option<u64>> {
        let path = self.path(key)?;
        match self.wait(0, self.store.head(&path)) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(told("looking at", key, error)),
        }
    }

    fn delete(&self, key: &str) -> BucketResult<()> {
        let path = self.path(key)?;
        match self.wait(0, self.store.delete(&path)) {
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
        let length = bytes.len() as u64;
        match self.wait(length, self.store.put_opts(&path, payload, PutOptions::from(mode))) {
            Ok(put) => {
                let version =
                    put.e_tag.ok_or(BucketError::Unconditional { reason: "it gives no versions (ETag)" })?;
                Ok(Write::Done(Version(version)))
            }
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. }) => {
                Ok(Write::Conflict)
            }
            Err(error) if is_in_vain(&error) => Err(told("writing", key, error)),
            // The answer may have been lost on its way back.
            Err(Error::Generic { .. } | Error::JoinError { .. }) => Ok(Write::Unknown),
            Err(Error::NotSupported { .. } | Error::NotImplemented { .. }) => {
                Err(BucketError::Unconditional { reason: "it does not know conditions on writing" })
            }
            Err(error) => Err(told("writing", key, error)),
        }
    }

    fn clock_ms(&self) -> BucketResult<Option<i64>> {
        Ok(Some(self.now()?.timestamp_millis()))
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(Listed)) -> BucketResult<()> {
        let now = self.now()?;
        // Stores list by whole parts of a path; the rest is for us to filter.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let root = Path::parse(format!("{}{folder}", self.prefix));
        let root = root.map_err(|_| BucketError::Key { key: prefix.to_owned() })?;
        let mut objects = self.store.list(Some(&root));
        while let Some(meta) = self.wait(0, async { objects.next().await.transpose() }).transpose() {
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
