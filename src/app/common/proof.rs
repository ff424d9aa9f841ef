//! Keeps what proves that a shared log was rolled back or shown in two versions: the signed entries,
//! as files that `ssh-keygen -Y verify` reads.

use crate::object::log_entry::{LogEntry, SignedEntry};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder, inside `.pent`.
pub const FOLDER: &str = "proof";

/// Where proof was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept(Option<PathBuf>);

impl Kept {
    /// The end of a sentence that says so.
    pub fn words(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |folder| {
            format!("; the signed entries are kept in {}", folder.display())
        })
    }
}

/// Keeps two entries: the one that was seen here, and the one that the remote shows in its place, or as
/// its newest. A disk that is full keeps nobody from being told.
pub fn keep(folder: &Path, sequence: u64, here: Option<&SignedEntry>, there: Option<&SignedEntry>) -> Kept {
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        for (whose, entry) in [("here", here), ("there", there)] {
            let Some(entry) = entry else { continue };
            let path = folder.join(format!("entry-{sequence}-{whose}.json"));
            fs::write(&path, &entry.statement)?;
            fs::write(path.with_extension("json.sig"), entry.signature.armored())?;
        }
        Ok(())
    };
    Kept(write().ok().map(|()| folder.to_owned()))
}

/// An entry in a few words.
pub fn describe(entry: Option<&SignedEntry>) -> String {
    let Some(signed) = entry else { return "missing".to_owned() };
    let id = signed.id().short();
    match LogEntry::decode(&signed.statement) {
        Ok(entry) => format!("{id}, signed with the key {}", entry.key),
        Err(_) => id,
    }
}
