//! Advice on errors of keys, signing and identities.

use super::{Advice, io};
use crate::app::identity::IdentityError;
use crate::cli::failure::ExitStatus;
use crate::cli::output::place;
use crate::object::signature::KeyError;
use crate::trust::TrustError;

/// Advice on errors of keys and signing.
pub(super) fn trust(error: &TrustError) -> Advice {
    match error {
        TrustError::Key(KeyError::RsaLength { .. }) => {
            Advice::usage("`pent identity new` makes a key that fits")
        }
        TrustError::Key(_) => {
            Advice::usage("name a file that ssh-keygen made, or paste a line of a .pub file")
        }
        TrustError::Signature(_) => Advice::none(ExitStatus::Refused),
        TrustError::CannotSign { .. } => Advice::refused(&["load the key into an ssh-agent with ssh-add"]),
        TrustError::KeyFile { .. } => {
            Advice::usage("name a private key file that ssh-keygen made, or its .pub file")
        }
        TrustError::PublicMissing { path } => {
            let make = format!("ssh-keygen -y -f KEYFILE > {}", place(path));
            Advice::not_found(&make)
        }
        TrustError::OpenToOthers { path, mode } if mode & 0o044 == 0 => {
            Advice::refused(&[&format!("chmod go-w {}", place(path))])
        }
        TrustError::OpenToOthers { path, .. } => Advice::refused(&[&format!("chmod 600 {}", place(path))]),
        TrustError::WrongPassphrase { .. } => {
            Advice::refused(&["nobody can restore a passphrase; `pent identity new` makes another key"])
        }
        TrustError::NobodyToAsk { .. } => Advice::refused(&[
            "run it in a terminal, load the key into an ssh-agent with ssh-add, or set SSH_ASKPASS",
            "add --no-passphrase to make a key that needs none",
        ]),
        TrustError::NoAnswer => Advice::none(ExitStatus::Interrupted),
        TrustError::OtherKey { .. } => {
            Advice::refused(&["`pent identity add` with that file takes the key in it"])
        }
        TrustError::NotAtHand { .. } => Advice::refused(&[
            "load the key into your ssh-agent with ssh-add",
            "`pent identity add` with the file of the private key tells where it is",
        ]),
        TrustError::Agent { .. } | TrustError::AgentAnswer { .. } => {
            Advice::unavailable("SSH_AUTH_SOCK says where the agent is; `ssh-add -l` asks it")
        }
        TrustError::AgentRefused { .. } => {
            Advice::refused(&["it may want you to confirm, or to touch the security key"])
        }
        TrustError::Helper { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Advice::unavailable(
                "install OpenSSH's client programs: this kind of key signs through ssh-keygen",
            )
        }
        TrustError::Helper { .. } => Advice::refused(&["what it said is above"]),
        TrustError::Random => Advice::none(ExitStatus::Disk),
        TrustError::Identities { path, .. } => {
            Advice::usage(&format!("mend {} with any text editor", place(path)))
        }
        TrustError::Io { source, .. } => io(source),
    }
}

/// Advice on errors of the list of identities.
pub(super) fn identity(error: &IdentityError) -> Advice {
    match error {
        IdentityError::Handle { .. } => {
            Advice::usage("lower-case letters, digits, '-' and '_', a letter first: anna, anna-lind")
        }
        IdentityError::HandleTaken { .. } | IdentityError::PersonTaken { .. } => {
            Advice::refused(&["`pent identity list` shows who is who"])
        }
        IdentityError::Unknown { .. } | IdentityError::KeyUnknown { .. } => {
            Advice::not_found("`pent identity list` shows everybody and their keys")
        }
        IdentityError::KeyTaken { .. } => Advice::refused(&["each key speaks for one person"]),
        IdentityError::WhichPerson { .. } => Advice::usage(
            "--person with the id that `pent identity list` shows them, or that `pent log --json` has for them",
        ),
        IdentityError::EmptyPassphrase => {
            Advice::usage("type one, or add --no-passphrase if the file alone shall do")
        }
        IdentityError::PassphrasesDiffer => Advice::usage("type the same passphrase twice"),
        IdentityError::NoAgent => Advice::unavailable("start one with: eval $(ssh-agent); ssh-add"),
        IdentityError::AgentKeys { .. } => {
            Advice::usage("name one by its fingerprint; `pent identity list` shows what the agent holds")
        }
        IdentityError::NoSigningKey => Advice::refused(&[
            "pent identity new HANDLE, to make a key",
            "pent identity add HANDLE ~/.ssh/id_ed25519, to use one that you have",
            "pent identity use HANDLE, if you have one already",
        ]),
        IdentityError::SignerIsAnother { handle } => {
            Advice::refused(&[&format!("pent identity use {handle}, to commit under that name too")])
        }
    }
}
