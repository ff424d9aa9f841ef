//! Writes what somebody without Pentimento needs to check signatures: bytes, statements, signatures,
//! keys, and the commands to type.

use crate::app::common::target::begin_folder;
use crate::app::error::AppError;
use crate::base::id::CommitId;
use crate::object::ObjectKind;
use crate::object::commit::Commit;
use crate::object::signature::Namespace;
use crate::repo::View;
use crate::rules::keyring::{Keyring, allowed_signers};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const ALLOWED_FILE: &str = "allowed_signers";

/// A folder that fills.
pub(super) struct Export {
    folder: PathBuf,
    commands: String,
}

impl Export {
    /// Begins in a folder that is new or empty.
    pub(super) fn begin(folder: &Path, keyring: &Keyring) -> Result<Self, AppError> {
        begin_folder(folder)?;
        let export = Self { folder: folder.to_owned(), commands: PREAMBLE.to_owned() };
        export.write(ALLOWED_FILE, allowed_signers(keyring.keys()).as_bytes())?;
        Ok(export)
    }

    /// Adds one commit and its signatures.
    pub(super) fn commit(
        &mut self,
        view: &View,
        id: CommitId,
        commit: &Commit,
        keyring: &Keyring,
    ) -> Result<(), AppError> {
        let name = id.to_string();
        self.write(&format!("{name}.commit.bin"), &commit.encode())?;
        // Writing to a String cannot fail.
        let _ = write!(
            self.commands,
            "\n# Commit {name}: the first 64 digits that this prints are its id\n\
             b3sum --derive-key \"{}\" {name}.commit.bin\n",
            ObjectKind::Commit.context()
        );
        for (number, record) in view.commit_signatures(id)?.iter().enumerate() {
            let statement = format!("{name}.{}.json", number + 1);
            self.write(&statement, record.statement())?;
            self.write(&format!("{statement}.sig"), record.signature().armored().as_bytes())?;
            let key = record.signature().public_key();
            let holder = keyring.holder(key).map(|known| known.handle.as_str());
            let _ = write!(
                self.commands,
                "# {statement} names that id; signed with {}\n\
                 ssh-keygen -Y verify -f {ALLOWED_FILE} -I {} -n {} -s {statement}.sig < {statement}\n",
                key.fingerprint(),
                holder.unwrap_or("NOBODY-KNOWN"),
                Namespace::Commit
            );
        }
        Ok(())
    }

    /// Writes the commands, last, and says where everything is.
    pub(super) fn finish(self) -> Result<PathBuf, AppError> {
        self.write("CHECK.txt", self.commands.as_bytes())?;
        Ok(self.folder)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), AppError> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).map_err(|source| AppError::Io { action: "writing", path, source })
    }
}

const PREAMBLE: &str = "\
# Type these commands in this folder. They need b3sum and ssh-keygen (OpenSSH 8.2 or newer), nothing else.
# Each statement (.json) names the commit by its id, the repository, the signer's id and the time; the
# signature (.sig) is over exactly its bytes. allowed_signers says which keys are whose by the list of
# whoever wrote this folder: compare the keys with those that the people themselves tell you.
";
