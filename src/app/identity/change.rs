//! Changes of the list of identities.

use crate::app::error::AppError;
use crate::app::identity::source::{self, KeyName};
use crate::app::identity::{IdentityError, Places};
use crate::base::id::PersonId;
use crate::base::time::Timestamp;
use crate::object::signature::Fingerprint;
use crate::repo::config::{Scope, Settings, SettingsFile, ensure_person, find_key};
use crate::trust::identity::{Identity, IdentityBook, IdentityKey, InUse, is_handle};
use crate::trust::key_file;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What the person is called in lists.
    pub handle: String,
    /// The name; the user's own by the settings when `None`.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The opaque id; the user's own by the settings when `None`.
    pub person: Option<PersonId>,
}

/// When a key counts, and what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validity {
    /// From when on.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// What it is: a laptop, a security key.
    pub note: Option<String>,
}

impl Validity {
    fn apply(&self, key: &mut IdentityKey) {
        key.from = self.from.map(|time| time.unix_ms);
        key.until = self.until.map(|time| time.unix_ms);
        key.note = self.note.clone().or(key.note.take());
    }
}

/// Makes a key file and takes its key.
pub(super) fn make(
    places: &Places<'_>,
    book: &mut IdentityBook,
    facts: &Facts,
    validity: &Validity,
    unprotected: bool,
) -> Result<(Fingerprint, PathBuf), AppError> {
    let index = enter(places, book, facts, true)?;
    let person = &book.identities()[index];
    let file = free_name(places, &person.handle);
    let passphrase = if unprotected { None } else { Some(new_passphrase(places, &person.name)?) };
    key_file::make_private_folder(&places.keys)?;
    let public = key_file::create(&file, passphrase.as_ref().map(|text| text.as_str()), &person.handle)?;
    let print = public.fingerprint();
    let mut key = IdentityKey { file: Some(file.clone()), ..IdentityKey::new(public) };
    validity.apply(&mut key);
    book.identities_mut()[index].keys.push(key);
    take_into_use(places, book, index)?;
    book.write()?;
    Ok((print, file))
}

/// Keys of a person who has one already get a number.
fn free_name(places: &Places<'_>, handle: &str) -> PathBuf {
    let numbered = (2..).map(|number| places.keys.join(format!("{handle}-{number}")));
    let mut names = std::iter::once(places.keys.join(handle)).chain(numbered);
    let taken = |path: &PathBuf| path.symlink_metadata().is_ok();
    names.find(|path| !taken(path)).unwrap_or_else(|| places.keys.join(handle))
}

fn new_passphrase(places: &Places<'_>, name: &str) -> Result<Zeroizing<String>, AppError> {
    let name = crate::base::escape::terminal(name.as_bytes());
    let first = places.ask.ask(&format!("A passphrase for the new key of {name}: "))?;
    if first.is_empty() {
        return Err(IdentityError::EmptyPassphrase.into());
    }
    let second = places.ask.ask("The same once more: ")?;
    if *first == *second { Ok(first) } else { Err(IdentityError::PassphrasesDiffer.into()) }
}

/// Takes a key that exists.
pub(super) fn add(
    places: &Places<'_>,
    book: &mut IdentityBook,
    facts: &Facts,
    validity: &Validity,
    name: &KeyName,
) -> Result<Fingerprint, AppError> {
    let found = source::find(name, places.agent.as_deref())?;
    if let Some(holder) = book.holder(&found.public) {
        let handle = holder.handle.clone();
        return Err(IdentityError::KeyTaken { key: found.public.fingerprint(), handle }.into());
    }
    let index = enter(places, book, facts, found.own)?;
    let print = found.public.fingerprint();
    let mut key = IdentityKey { file: found.file, note: found.comment, ..IdentityKey::new(found.public) };
    validity.apply(&mut key);
    book.identities_mut()[index].keys.push(key);
    if found.own {
        take_into_use(places, book, index)?;
    }
    book.write()?;
    Ok(print)
}

/// Finds the person, or enters them; says where they stand in the list. Whoever has the private half
/// of a key is taken for the user, whose name and id the settings know.
fn enter(places: &Places<'_>, book: &mut IdentityBook, facts: &Facts, own: bool) -> Result<usize, AppError> {
    if !is_handle(&facts.handle) {
        return Err(IdentityError::Handle { text: facts.handle.clone() }.into());
    }
    let known = book.identities().iter().position(|identity| identity.handle == facts.handle);
    if let Some(index) = known {
        let identity = &mut book.identities_mut()[index];
        if facts.person.is_some_and(|person| person != identity.person) {
            return Err(IdentityError::HandleTaken { handle: facts.handle.clone() }.into());
        }
        if let Some(name) = &facts.name {
            identity.name.clone_from(name);
        }
        if facts.email.is_some() {
            identity.email.clone_from(&facts.email);
        }
        return Ok(index);
    }
    let settings = Settings::read(&places.config)?;
    let setting = |name: &str| if own { settings.text(name) } else { Ok(None) };
    let name = facts.name.clone().or(setting("user.name")?).ok_or(AppError::NoIdentity)?;
    let email = facts.email.clone().or(setting("user.email")?);
    let person = match facts.person {
        Some(person) => person,
        None if own => own_person(places, book)?,
        None => return Err(IdentityError::WhichPerson { handle: facts.handle.clone() }.into()),
    };
    if let Some(other) = book.identities().iter().find(|identity| identity.person == person) {
        return Err(IdentityError::PersonTaken { handle: other.handle.clone() }.into());
    }
    let identity = Identity { handle: facts.handle.clone(), person, name, email, keys: Vec::new() };
    book.identities_mut().push(identity);
    Ok(book.identities().len() - 1)
}

/// The user's id by the settings, or a fresh one when that is somebody's in the list already: one
/// user may work as several people.
fn own_person(places: &Places<'_>, book: &IdentityBook) -> Result<PersonId, AppError> {
    let path = places.config.of(Scope::Person).ok_or(AppError::NoIdentity)?;
    let person = ensure_person(&mut SettingsFile::read(path, Scope::Person)?)?;
    if !book.identities().iter().any(|identity| identity.person == person) {
        return Ok(person);
    }
    let mut bytes = [0u8; PersonId::SIZE];
    getrandom::fill(&mut bytes).map_err(|_| crate::repo::config::ConfigError::Random)?;
    Ok(PersonId::from_bytes(bytes))
}

/// The first identity of one's own is the one in use.
fn take_into_use(places: &Places<'_>, book: &mut IdentityBook, index: usize) -> Result<(), AppError> {
    if book.in_use().is_some() {
        return Ok(());
    }
    let handle = book.identities()[index].handle.clone();
    set_use(places, book, &handle, None)
}

/// Works as a person from now on: commits stand under that name and id.
pub(super) fn work_as(
    places: &Places<'_>,
    book: &mut IdentityBook,
    handle: &str,
    key: Option<Fingerprint>,
) -> Result<(), AppError> {
    set_use(places, book, handle, key)?;
    Ok(book.write()?)
}

fn set_use(
    places: &Places<'_>,
    book: &mut IdentityBook,
    handle: &str,
    key: Option<Fingerprint>,
) -> Result<(), AppError> {
    let identity = known(book, handle)?;
    if let Some(key) = key.filter(|key| !identity.keys.iter().any(|held| held.public.fingerprint() == *key)) {
        return Err(IdentityError::KeyUnknown { handle: handle.to_owned(), key }.into());
    }
    let path = places.config.of(Scope::Person).ok_or(AppError::NoIdentity)?;
    let mut file = SettingsFile::read(path, Scope::Person)?;
    let values = [
        ("user.name", Some(identity.name.clone())),
        ("user.email", identity.email.clone()),
        ("user.person", Some(identity.person.to_string())),
    ];
    for (name, value) in values {
        if let (Some(key), Some(value)) = (find_key(name), value) {
            file.set(key, &value)?;
        }
    }
    file.write()?;
    book.set_in_use(Some(InUse { handle: handle.to_owned(), key }));
    Ok(())
}

fn known<'a>(book: &'a IdentityBook, handle: &str) -> Result<&'a Identity, AppError> {
    let unknown = || IdentityError::Unknown { handle: handle.to_owned() };
    Ok(book.find(handle).ok_or_else(unknown)?)
}

/// Forgets a person or one key.
pub(super) fn remove(
    book: &mut IdentityBook,
    handle: &str,
    key: Option<Fingerprint>,
) -> Result<(), AppError> {
    known(book, handle)?;
    match key {
        None => book.identities_mut().retain(|identity| identity.handle != handle),
        Some(key) => {
            let keys = keys_of(book, handle)?;
            let before = keys.len();
            keys.retain(|held| held.public.fingerprint() != key);
            if keys.len() == before {
                return Err(IdentityError::KeyUnknown { handle: handle.to_owned(), key }.into());
            }
        }
    }
    let gone = book.in_use().is_some_and(|in_use| match key {
        None => in_use.handle == handle,
        Some(key) => in_use.key == Some(key),
    });
    if gone {
        let rest = key.map(|_| InUse { handle: handle.to_owned(), key: None });
        book.set_in_use(rest);
    }
    Ok(book.write()?)
}

/// Notes that a key does not count any more.
pub(super) fn revoke(
    book: &mut IdentityBook,
    handle: &str,
    key: Fingerprint,
    since: Timestamp,
) -> Result<(), AppError> {
    let held = keys_of(book, handle)?.iter_mut().find(|held| held.public.fingerprint() == key);
    let held = held.ok_or_else(|| IdentityError::KeyUnknown { handle: handle.to_owned(), key })?;
    // The earliest word counts: a later one must not bring signatures back.
    held.revoked = Some(held.revoked.map_or(since.unix_ms, |known| known.min(since.unix_ms)));
    Ok(book.write()?)
}

fn keys_of<'a>(book: &'a mut IdentityBook, handle: &str) -> Result<&'a mut Vec<IdentityKey>, AppError> {
    let found = book.identities_mut().iter_mut().find(|identity| identity.handle == handle);
    let unknown = || IdentityError::Unknown { handle: handle.to_owned() };
    Ok(found.map(|identity| &mut identity.keys).ok_or_else(unknown)?)
}
