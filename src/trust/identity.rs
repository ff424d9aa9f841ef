//! The person's own list of people and their keys, beside their settings.
//!
//! It says whose key is whose where no policy says so, which of one's own keys to sign with, and
//! where the private half is. Nothing in it is secret, but whoever can write it decides whom this
//! person believes: a file that others can write is refused.

use crate::base::id::PersonId;
use crate::object::signature::{Fingerprint, PublicKey};
use crate::rules::keyring::{Keyring, KnownKey};
use crate::trust::TrustError;
use crate::trust::key_file::replace;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file, beside the person's settings.
pub const FILE_NAME: &str = "identities.toml";
/// Name of the folder of keys that were made here.
pub const KEYS_DIR: &str = "keys";
const VERSION: u32 = 1;
const FILE_BYTES_MAX: u64 = 16 << 20;
const PREAMBLE: &str = "# People whose keys you know, and which of your own keys you sign with.\n\
    # Written by `pent identity`; comments are not kept.\n\n";

/// A person and their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// What the person is called in lists, policies and allowed signers: short and plain.
    pub handle: String,
    /// The opaque id that history knows the person by.
    pub person: PersonId,
    /// The name.
    pub name: String,
    /// The address; may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The keys that speak for the person.
    #[serde(default, rename = "key")]
    pub keys: Vec<IdentityKey>,
}

/// One key of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityKey {
    /// The key.
    pub public: PublicKey,
    /// Where the private half is, when it is in a file of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// From when on it counts.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "moment")]
    pub from: Option<i64>,
    /// Until when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "moment")]
    pub until: Option<i64>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "moment")]
    pub revoked: Option<i64>,
    /// What it is: a laptop, a security key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl IdentityKey {
    /// A key that counts from ever to for ever.
    pub fn new(public: PublicKey) -> Self {
        Self { public, file: None, from: None, until: None, revoked: None, note: None }
    }

    /// Whether it counts at a moment, revoked ones never.
    pub fn is_valid_at(&self, unix_ms: i64) -> bool {
        self.revoked.is_none()
            && self.from.is_none_or(|from| from <= unix_ms)
            && self.until.is_none_or(|until| unix_ms < until)
    }
}

/// Whom the person works as, and with which key if it is always the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InUse {
    /// The identity.
    pub handle: String,
    /// The key; the first that counts when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Fingerprint>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    version: u32,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    in_use: Option<InUse>,
    #[serde(default, rename = "identity")]
    identities: Vec<Identity>,
}

/// The list, in memory until [`IdentityBook::write`].
#[derive(Debug, Clone)]
pub struct IdentityBook {
    path: PathBuf,
    form: Form,
}

/// Whether text can be a handle: plain letters only, so that two that look alike are alike.
pub fn is_handle(text: &str) -> bool {
    crate::rules::policy::Handle::new(text).is_ok()
}

impl IdentityBook {
    /// Reads the list; one that does not exist is empty.
    pub fn read(path: &Path) -> Result<Self, TrustError> {
        let wrap = |source| TrustError::Io { action: "reading", path: path.to_owned(), source };
        let form = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Form { version: VERSION, in_use: None, identities: Vec::new() }
            }
            Err(error) => return Err(wrap(error)),
            Ok(data) => {
                refuse_writable_by_others(&data, path)?;
                if data.len() > FILE_BYTES_MAX {
                    return Err(refused(path, "it is too long"));
                }
                let text = fs::read_to_string(path).map_err(wrap)?;
                parse(&text).map_err(|message| refused(path, &message))?
            }
        };
        Ok(Self { path: path.to_owned(), form })
    }

    /// Writes the list, so that it is either the old one or the new one, whatever happens.
    pub fn write(&self) -> Result<(), TrustError> {
        let body = toml_edit::ser::to_string_pretty(&self.form)
            .map_err(|error| refused(&self.path, &error.to_string()))?;
        // Dotfiles may be kept elsewhere and linked to.
        let target = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        replace(&target, format!("{PREAMBLE}{body}").as_bytes())
    }

    /// Where the list is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The people.
    pub fn identities(&self) -> &[Identity] {
        &self.form.identities
    }

    /// The people, to be changed.
    pub const fn identities_mut(&mut self) -> &mut Vec<Identity> {
        &mut self.form.identities
    }

    /// The person of that handle.
    pub fn find(&self, handle: &str) -> Option<&Identity> {
        self.form.identities.iter().find(|identity| identity.handle == handle)
    }

    /// Whose key it is.
    pub fn holder(&self, key: &PublicKey) -> Option<&Identity> {
        self.form.identities.iter().find(|identity| identity.keys.iter().any(|held| held.public == *key))
    }

    /// Whom the person works as.
    pub const fn in_use(&self) -> Option<&InUse> {
        self.form.in_use.as_ref()
    }

    /// Sets whom the person works as.
    pub fn set_in_use(&mut self, in_use: Option<InUse>) {
        self.form.in_use = in_use;
    }

    /// The identity in use and the key to sign with at a moment, if one counts then.
    pub fn signing_key(&self, unix_ms: i64) -> Option<(&Identity, &IdentityKey)> {
        let in_use = self.form.in_use.as_ref()?;
        let identity = self.find(&in_use.handle)?;
        let fits = |key: &&IdentityKey| {
            in_use.key.is_none_or(|wanted| key.public.fingerprint() == wanted) && key.is_valid_at(unix_ms)
        };
        identity.keys.iter().find(fits).map(|key| (identity, key))
    }

    /// All keys, as what is known of them.
    pub fn keyring(&self) -> Keyring {
        let mut ring = Keyring::default();
        for identity in &self.form.identities {
            for key in &identity.keys {
                ring.add(KnownKey {
                    key: key.public.clone(),
                    person: identity.person,
                    handle: identity.handle.clone(),
                    name: Some(identity.name.clone()),
                    from: key.from,
                    until: key.until,
                    revoked: key.revoked,
                    note: key.note.clone(),
                });
            }
        }
        ring
    }
}

fn refused(path: &Path, message: &str) -> TrustError {
    TrustError::Identities { path: path.to_owned(), message: message.trim_end().to_owned() }
}

fn parse(text: &str) -> Result<Form, String> {
    let form: Form = toml_edit::de::from_str(text).map_err(|error| error.to_string())?;
    if form.version != VERSION {
        return Err(format!("it has version {}; only {VERSION} is known", form.version));
    }
    let mut keys = std::collections::BTreeSet::new();
    for (index, identity) in form.identities.iter().enumerate() {
        if !is_handle(&identity.handle) {
            return Err(format!("{:?} is no handle", identity.handle));
        }
        if form.identities[..index].iter().any(|other| other.handle == identity.handle) {
            return Err(format!("{} is in it twice", identity.handle));
        }
        if let Some(twice) = identity.keys.iter().find(|key| !keys.insert(key.public.clone())) {
            return Err(format!("the key {} is in it twice", twice.public.fingerprint()));
        }
    }
    Ok(form)
}

#[cfg(unix)]
fn refuse_writable_by_others(data: &fs::Metadata, path: &Path) -> Result<(), TrustError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = data.permissions().mode() & 0o777;
    if mode & 0o022 == 0 { Ok(()) } else { Err(TrustError::OpenToOthers { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_writable_by_others(_: &fs::Metadata, _: &Path) -> Result<(), TrustError> {
    Ok(())
}

/// Moments as RFC 3339 text in UTC.
mod moment {
    // Serde says by which shape it calls.
    #![allow(clippy::ref_option)]

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(moment: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
        match moment {
            Some(unix_ms) => match jiff::Timestamp::from_millisecond(*unix_ms) {
                Ok(moment) => serializer.collect_str(&moment),
                Err(error) => Err(serde::ser::Error::custom(error)),
            },
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Some(moment.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::{LocalKey, Signer};
    use proptest::prelude::*;

    fn identity(handle: &str, seed: u8) -> Identity {
        let public = LocalKey::from_seed(&[seed; 32]).unwrap().public_key().clone();
        let key = IdentityKey { until: Some(1_800_000_000_000), ..IdentityKey::new(public) };
        Identity {
            handle: handle.to_owned(),
            person: PersonId::from_bytes([seed; 16]),
            name: "Anna \"the\" Lind".to_owned(),
            email: None,
            keys: vec![key],
        }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join(FILE_NAME);
        let mut book = IdentityBook::read(&path).unwrap();
        book.identities_mut().extend([identity("anna", 1), identity("ben", 2)]);
        book.set_in_use(Some(InUse { handle: "ben".into(), key: None }));
        book.write().unwrap();
        let again = IdentityBook::read(&path).unwrap();
        assert_eq!(again.identities(), book.identities());
        assert_eq!(again.in_use(), book.in_use());
        assert_eq!(again.signing_key(0).map(|(who, _)| who.handle.as_str()), Some("ben"));
        assert!(again.signing_key(1_800_000_000_000).is_none(), "expired");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
            assert!(matches!(IdentityBook::read(&path), Err(TrustError::OpenToOthers { .. })));
        }
    }

    proptest! {
        #[test]
        fn no_text_brings_the_reader_down(at in any::<prop::sample::Index>(), text in "\\PC{0,8}") {
            let identities = vec![identity("anna", 1)];
            let form = Form { version: VERSION, in_use: None, identities };
            let mut list = toml_edit::ser::to_string_pretty(&form).unwrap();
            let at = (0..=at.index(list.len())).rev().find(|at| list.is_char_boundary(*at)).unwrap();
            list.insert_str(at, &text);
            let _ = parse(&list);
            let _ = parse(&text);
        }
    }

    #[test]
    fn a_list_with_one_key_for_two_people_or_with_odd_handles_is_refused() {
        for people in [
            vec![identity("anna", 1), identity("ben", 1)],
            vec![identity("anna", 1), identity("anna", 2)],
            vec![identity("Anna", 1)],
        ] {
            let form = Form { version: VERSION, in_use: None, identities: people };
            assert!(parse(&toml_edit::ser::to_string_pretty(&form).unwrap()).is_err());
        }
        assert!(parse("version = 2").is_err());
        assert!(parse("version = 1\nprogram = \"rm\"").is_err());
    }
}
