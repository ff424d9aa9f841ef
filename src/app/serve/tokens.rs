//! `serve token`: what machines sign in with. Only hashes are kept, one small file for each token, in
//! the server's own folder and never in a repository.

use crate::app::error::AppError;
use crate::app::serve::places::is_place_name;
use crate::base::time::Clock;
use crate::rules::access::Permission;
use crate::rules::policy::Handle;
use crate::trust::key_file::replace;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folder of the tokens in the server's own folder.
pub(super) const TOKENS_DIR: &str = "tokens";
const PREFIX: &str = "pent_";
/// Length of the public and of the secret part, in bytes.
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
/// Longest file of a token, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Longest note on a token, in bytes.
const NOTE_BYTES_MAX: usize = 200;
const DAY_MS: i64 = 86_400_000;
/// How long a token lasts at most.
pub const DAYS_MAX: u32 = 366;
/// Stands for every repository.
pub const EVERYWHERE: &str = "*";

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its public part.
    pub id: String,
    /// BLAKE3 of its secret part.
    #[serde(rename = "hash")]
    hash: String,
    /// What it is for.
    pub note: String,
    /// The repositories; `*` for all.
    pub repositories: BTreeSet<String>,
    /// What it may do there.
    pub may: BTreeSet<Permission>,
    /// The person for whom it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub works_for: Option<Handle>,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: i64,
    /// Until when it counts.
    pub until_ms: i64,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<i64>,
}

impl Token {
    /// Whether it counts at a moment.
    pub fn is_valid_at(&self, unix_ms: i64) -> bool {
        self.revoked_ms.is_none() && unix_ms < self.until_ms
    }

    /// Whether it is for a repository.
    pub fn covers(&self, place: &str) -> bool {
        self.repositories.contains(EVERYWHERE) || self.repositories.contains(place)
    }
}

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is for.
    pub note: String,
    /// The repositories; `*` for all.
    pub repositories: Vec<String>,
    /// What it may do there.
    pub may: Vec<Permission>,
    /// The person for whom it works.
    pub works_for: Option<Handle>,
    /// How long it lasts.
    pub days: u32,
}

/// A token as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct TokenLine {
    /// Its public part.
    pub id: String,
    /// What it is for.
    pub note: String,
    /// The repositories; `*` for all.
    pub repositories: BTreeSet<String>,
    /// What it may do there.
    pub may: BTreeSet<Permission>,
    /// The person for whom it works.
    pub works_for: Option<Handle>,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: i64,
    /// Until when it counts, in milliseconds since 1970.
    pub until_ms: i64,
    /// `good`, `expired` or `revoked`.
    pub state: &'static str,
}

/// A token that was made: the only time that it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct NewReport {
    /// The token.
    pub token: String,
    /// What is kept of it.
    pub line: TokenLine,
}

/// All tokens.
#[derive(Debug, Clone, Serialize)]
pub struct ListReport {
    /// The tokens, the newest last.
    pub tokens: Vec<TokenLine>,
}

/// A token that no longer counts.
#[derive(Debug, Clone, Serialize)]
pub struct RevokeReport {
    /// The token.
    pub line: TokenLine,
}

/// The tokens of one server.
#[derive(Debug, Clone)]
pub struct Tokens {
    folder: PathBuf,
}

impl Tokens {
    /// The tokens that are kept in a server's own folder.
    pub fn new(own_dir: &Path) -> Self {
        Self { folder: own_dir.join(TOKENS_DIR) }
    }

    /// Makes a token.
    pub fn create(&self, wanted: &NewToken, clock: &dyn Clock) -> Result<NewReport, AppError> {
        check(wanted)?;
        let mut random = [0u8; ID_BYTES + SECRET_BYTES];
        getrandom::fill(&mut random).map_err(|error| AppError::Io {
            action: "asking for random bytes from",
            path: "the system".into(),
            source: std::io::Error::other(error.to_string()),
        })?;
        let (id, secret) = random.split_at(ID_BYTES);
        let now = clock.now().unix_ms;
        let record = Token {
            id: hex(id),
            hash: blake3::hash(secret).to_hex().to_string(),
            note: wanted.note.clone(),
            repositories: wanted.repositories.iter().cloned().collect(),
            may: wanted.may.iter().copied().collect(),
            works_for: wanted.works_for.clone(),
            made_ms: now,
            until_ms: now + i64::from(wanted.days) * DAY_MS,
            revoked_ms: None,
        };
        self.write(&record)?;
        let token = format!("{PREFIX}{}_{}", record.id, hex(secret));
        Ok(NewReport { token, line: line(&record, now) })
    }

    /// Lists the tokens.
    pub fn list(&self, clock: &dyn Clock) -> ListReport {
        let now = clock.now().unix_ms;
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| {
            entry.file_name().to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned)
        });
        let mut found: Vec<Token> = ids.filter_map(|id| self.read(&id)).collect();
        found.sort_by(|left, right| (left.made_ms, &left.id).cmp(&(right.made_ms, &right.id)));
        ListReport { tokens: found.iter().map(|token| line(token, now)).collect() }
    }

    /// Makes a token count no longer, from the next request on.
    pub fn revoke(&self, id: &str, clock: &dyn Clock) -> Result<RevokeReport, AppError> {
        let unknown = || AppError::NameUnknown { kind: "token", name: id.to_owned() };
        let mut record = self.read(id).ok_or_else(unknown)?;
        let now = clock.now().unix_ms;
        record.revoked_ms.get_or_insert(now);
        self.write(&record)?;
        Ok(RevokeReport { line: line(&record, now) })
    }

    /// The record of a token, if it is one and counts at a moment.
    pub fn find(&self, token: &str, unix_ms: i64) -> Option<Token> {
        let (id, secret) = token.strip_prefix(PREFIX)?.split_once('_')?;
        let record = self.read(id)?;
        let secret = unhex::<SECRET_BYTES>(secret)?;
        let kept = blake3::Hash::from_hex(&record.hash).ok()?;
        // Compared in constant time.
        (kept == blake3::hash(&secret) && record.is_valid_at(unix_ms)).then_some(record)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn read(&self, id: &str) -> Option<Token> {
        unhex::<ID_BYTES>(id)?;
        let path = self.path(id);
        if fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        decode(&fs::read(&path).ok()?).filter(|record| record.id == id)
    }

    fn write(&self, record: &Token) -> Result<(), AppError> {
        let bytes = serde_json::to_vec(record).map_err(|error| AppError::Io {
            action: "writing",
            path: self.path(&record.id),
            source: std::io::Error::other(error.to_string()),
        })?;
        Ok(replace(&self.path(&record.id), &bytes)?)
    }
}

/// Reads what is kept of a token.
pub fn decode(bytes: &[u8]) -> Option<Token> {
    serde_json::from_slice(bytes).ok()
}

fn check(wanted: &NewToken) -> Result<(), AppError> {
    let wrong =
        |text: &str, reason: &str| AppError::Setting { text: text.to_owned(), reason: reason.to_owned() };
    let note = &wanted.note;
    if note.is_empty()
        || note.len() > NOTE_BYTES_MAX
        || note.chars().any(crate::base::escape::is_unsafe_to_show)
    {
        return Err(wrong(note, "say in a few words what the token is for"));
    }
    for place in &wanted.repositories {
        if place != EVERYWHERE && !is_place_name(place) {
            return Err(wrong(place, "that cannot be the name of a repository"));
        }
    }
    if wanted.repositories.is_empty() || wanted.may.is_empty() {
        return Err(wrong("", "name a repository and what the token may do there"));
    }
    if wanted.days == 0 || wanted.days > DAYS_MAX {
        return Err(wrong(&wanted.days.to_string(), "a token lasts from 1 to 366 days"));
    }
    Ok(())
}

fn line(token: &Token, now_ms: i64) -> TokenLine {
    let state = match token.revoked_ms {
        Some(_) => "revoked",
        None if token.is_valid_at(now_ms) => "good",
        None => "expired",
    };
    TokenLine {
        id: token.id.clone(),
        note: token.note.clone(),
        repositories: token.repositories.clone(),
        may: token.may.clone(),
        works_for: token.works_for.clone(),
        made_ms: token.made_ms,
        until_ms: token.until_ms,
        state,
    }
}

/// Bytes as hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly so many bytes of lower-case hexadecimal text.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(digits) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{FixedClock, Timestamp};

    fn wanted() -> NewToken {
        NewToken {
            note: "render farm".into(),
            repositories: vec!["brand".into()],
            may: vec![Permission::Read],
            works_for: None,
            days: 30,
        }
    }

    #[test]
    fn a_token_counts_until_it_ends_or_is_revoked_and_is_kept_nowhere() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tokens = Tokens::new(folder.path());
        let clock = FixedClock(Timestamp::utc(1_000));
        let made = tokens.create(&wanted(), &clock).expect("a token");
        let found = tokens.find(&made.token, 2_000).expect("the token");
        assert!(found.covers("brand") && !found.covers("other"));
        let secret = made.token.rsplit('_').next().expect("a secret");
        let kept = fs::read_to_string(tokens.path(&found.id)).expect("a record");
        assert!(!kept.contains(secret), "{kept}");
        assert!(tokens.find(&made.token, 1_000 + 30 * DAY_MS).is_none(), "it has ended");
        let mut other = made.token.clone();
        let last = if other.pop() == Some('0') { '1' } else { '0' };
        other.push(last);
        assert!(tokens.find(&other, 2_000).is_none());
        assert!(tokens.find("pent_../../etc_00", 2_000).is_none());
        tokens.revoke(&found.id, &clock).expect("revoked");
        assert!(tokens.find(&made.token, 2_000).is_none());
        assert_eq!(tokens.list(&clock).tokens[0].state, "revoked");
    }

    #[test]
    fn tokens_for_nothing_and_for_ever_are_not_made() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tokens = Tokens::new(folder.path());
        let clock = FixedClock(Timestamp::utc(1_000));
        for change in [
            |token: &mut NewToken| token.days = 0,
            |token: &mut NewToken| token.days = 400,
            |token: &mut NewToken| token.may.clear(),
            |token: &mut NewToken| token.repositories = vec!["../x".into()],
            |token: &mut NewToken| token.note = "a\u{202e}b".into(),
        ] {
            let mut token = wanted();
            change(&mut token);
            assert!(tokens.create(&token, &clock).is_err(), "{token:?}");
        }
    }
}
