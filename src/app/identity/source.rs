//! The ways in which people name a key: a file, a line, a fingerprint of the agent's.

use crate::app::error::AppError;
use crate::app::identity::IdentityError;
use crate::object::signature::{Fingerprint, KEY_LINE_BYTES_MAX, PublicKey};
use crate::trust::key_file::{self, KeyFile, public_path};
use crate::trust::{TrustError, agent};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A key as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyName {
    /// The line of a public key.
    Line(String),
    /// A private or a public key file, absolute.
    File(PathBuf),
    /// A key of the agent.
    Agent(Fingerprint),
    /// The one key of the agent.
    OnlyAgent,
}

/// A key that was found.
pub(super) struct Found {
    pub public: PublicKey,
    /// The file of the private half.
    pub file: Option<PathBuf>,
    /// Whether the private half is at hand, so that the key is one's own.
    pub own: bool,
    /// What the key's own line or the agent calls it.
    pub comment: Option<String>,
}

pub(super) fn find(name: &KeyName, socket: Option<&Path>) -> Result<Found, AppError> {
    match name {
        KeyName::Line(line) => of_line(line, socket),
        KeyName::File(path) => of_file(path, socket),
        KeyName::Agent(print) => of_agent(socket, Some(*print)),
        KeyName::OnlyAgent => of_agent(socket, None),
    }
}

fn of_line(line: &str, socket: Option<&Path>) -> Result<Found, AppError> {
    let (public, comment) = PublicKey::parse_line(line).map_err(TrustError::from)?;
    let own = is_held(&public, socket);
    Ok(Found { public, file: None, own, comment: plain(comment) })
}

fn is_held(key: &PublicKey, socket: Option<&Path>) -> bool {
    let keys = socket.and_then(|socket| agent::list(socket).ok()).unwrap_or_default();
    keys.iter().any(|held| held.key == *key)
}

fn of_agent(socket: Option<&Path>, print: Option<Fingerprint>) -> Result<Found, AppError> {
    let socket = socket.ok_or(IdentityError::NoAgent)?;
    let mut keys = agent::list(socket)?;
    if let Some(print) = print {
        keys.retain(|held| held.key.fingerprint() == print);
    }
    match <[agent::AgentKey; 1]>::try_from(keys) {
        Ok([held]) => Ok(Found { public: held.key, file: None, own: true, comment: plain(&held.comment) }),
        Err(keys) => {
            let keys = keys.iter().map(|held| held.key.fingerprint()).collect();
            Err(IdentityError::AgentKeys { keys }.into())
        }
    }
}

/// A private key file, or a public one with the private one beside it or in the agent.
fn of_file(path: &Path, socket: Option<&Path>) -> Result<Found, AppError> {
    if let Some(line) = public_line(path)? {
        let mut found = of_line(&line, socket)?;
        let private = path.with_extension("");
        if path.extension().is_some_and(|extension| extension == "pub") && private.is_file() {
            (found.file, found.own) = (Some(private), true);
        }
        return Ok(found);
    }
    let public = match key_file::read(path)? {
        KeyFile::Ready(key) => key.into_public(),
        KeyFile::Locked(key) => key.public_key().clone(),
        KeyFile::Foreign(Some(public)) => public,
        KeyFile::Foreign(None) => {
            let beside = public_path(path);
            let line = public_line(&beside).ok().flatten();
            let line = line.ok_or(TrustError::PublicMissing { path: beside })?;
            PublicKey::parse_openssh(&line).map_err(TrustError::from)?
        }
    };
    Ok(Found { public, file: Some(path.to_owned()), own: true, comment: None })
}

/// The one line of a public key file; `None` when the file is another.
fn public_line(path: &Path) -> Result<Option<String>, TrustError> {
    let wrap = |source| TrustError::Io { action: "reading", path: path.to_owned(), source };
    if !fs::metadata(path).map_err(wrap)?.is_file() {
        return Err(TrustError::KeyFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(wrap)?;
    file.take(KEY_LINE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(wrap)?;
    let text = String::from_utf8(bytes).ok().filter(|text| PublicKey::parse_openssh(text).is_ok());
    Ok(text)
}

/// A comment fit to be kept as a note.
fn plain(comment: &str) -> Option<String> {
    let text: String = comment.chars().filter(|c| !c.is_control()).take(80).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
