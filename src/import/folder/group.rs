//! Finds out which single files are versions of one thing.

use crate::base::path::AssetPath;
use crate::import::folder::habits::{is_attic, usual};
use crate::import::folder::order::{Clues, in_order};
use crate::import::folder::pattern::{Parts, Pattern};
use crate::import::folder::plan::{Action, LeftOut};
use crate::import::folder::scan::Version;
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization as _;

/// A file that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub path: AssetPath,
    pub mtime_ms: i64,
}

/// A file with what its name says.
#[derive(Debug, Clone)]
struct Member {
    file: Found,
    parts: Parts,
    /// The path that it is a version of, as this name spells it.
    target: AssetPath,
    in_attic: bool,
}

/// Versions of single files. What is numbered and nothing else stays apart, and `notes` says so.
pub(super) fn file_versions(
    files: Vec<Found>,
    pattern: Option<&Pattern>,
    month_first: bool,
    left_out: &mut Vec<LeftOut>,
    notes: &mut Vec<String>,
) -> Vec<Version> {
    let mut groups: BTreeMap<Vec<u8>, Vec<Member>> = BTreeMap::new();
    for file in files {
        match member_of(&file, pattern) {
            Some(mut member) => {
                if month_first {
                    member.parts = std::mem::take(&mut member.parts).month_first();
                }
                groups.entry(key_of(&member.target)).or_default().push(member);
            }
            None => {
                let reason = "its name does not fit the pattern".to_owned();
                left_out.push(LeftOut { path: file.path, reason });
            }
        }
    }
    if pattern.is_none() {
        bring_down_from_attics(&mut groups);
    }
    let mut versions = Vec::new();
    for members in groups.into_values() {
        let is_series =
            pattern.is_none() && members.len() > 1 && members.iter().all(|member| member.parts.bare);
        if is_series {
            notes.push(series_note(&members));
        }
        if is_series || pattern.is_none() && members.len() == 1 {
            versions.extend(members.into_iter().map(|member| version_of(&member.file.path, 0, &member)));
        } else {
            versions.extend(versions_of(members));
        }
    }
    versions
}

fn versions_of(mut members: Vec<Member>) -> Vec<Version> {
    in_order(&mut members, &|member| Clues {
        parts: member.parts.clone(),
        mtime_ms: member.file.mtime_ms,
        in_attic: member.in_attic,
    });
    let path = usual_spelling(&members);
    members.iter().enumerate().map(|(place, member)| version_of(&path, place, member)).collect()
}

fn version_of(path: &AssetPath, place: usize, member: &Member) -> Version {
    let name = String::from_utf8_lossy(member.file.path.name()).into_owned();
    let shown = String::from_utf8_lossy(path.name()).into_owned();
    Version {
        of: path.as_bytes().to_vec(),
        place,
        is_alone: member.file.path == *path,
        time_ms: member.parts.date_ms.unwrap_or(member.file.mtime_ms),
        message: if name == shown { name } else { format!("{shown}: {name}") },
        actions: vec![Action::Put { path: path.clone(), from: member.file.path.clone() }],
    }
}

/// The path as most versions spell it; as the newest of them does where none is in the majority.
fn usual_spelling(members: &[Member]) -> AssetPath {
    let count = |target: &AssetPath| members.iter().filter(|member| member.target == *target).count();
    let places =
        members.iter().filter(|member| !member.in_attic || members.iter().all(|other| other.in_attic));
    places.map(|member| &member.target).max_by_key(|target| count(target)).cloned().unwrap_or_default()
}

/// Says that numbers alone were not taken for versions, and how to take them so.
fn series_note(members: &[Member]) -> String {
    let name = |member: &Member| String::from_utf8_lossy(member.file.path.name()).into_owned();
    let (first, last) = (members.first().map(name), members.last().map(name));
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    format!(
        "{first} to {last}: {} files stay apart, since a bare number may count things; --as-versions with {{name}} and {{n}} makes versions of them",
        members.len()
    )
}

/// What a path has in common with other spellings of itself.
fn key_of(path: &AssetPath) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(path.as_bytes()) else { return path.as_bytes().to_vec() };
    let (folder, name) = text.rsplit_once('/').unwrap_or(("", text));
    let plain = |c: char| if matches!(c, '_' | '-' | ' ') { ' ' } else { c };
    let name: String = name.nfc().map(plain).collect::<String>().to_lowercase();
    format!("{folder}/{name}").into_bytes()
}

/// Puts versions from folders for old states (`old/logo_v1.psd`) to what they are old states of, where
/// that lies beside the folder.
fn bring_down_from_attics(groups: &mut BTreeMap<Vec<u8>, Vec<Member>>) {
    let mut moves = Vec::new();
    for (key, members) in groups.iter() {
        let Some(target) = members.first().map(|member| &member.target) else { continue };
        let Some(outside) = outside_attic(target) else { continue };
        let outer = key_of(&outside);
        if groups.contains_key(&outer) {
            moves.push((key.clone(), outer));
        }
    }
    for (key, outer) in moves {
        let mut members = groups.remove(&key).unwrap_or_default();
        members.iter_mut().for_each(|member| member.in_attic = true);
        groups.entry(outer).or_default().extend(members);
    }
}

/// The path without the folder for old states that it lies in; `None` when it lies in none.
fn outside_attic(path: &AssetPath) -> Option<AssetPath> {
    let folder = path.parent()?;
    std::str::from_utf8(folder.name()).ok().filter(|name| is_attic(name))?;
    folder.parent()?.join(path.name()).ok()
}

/// What a file is a version of; `None` when the pattern does not fit it.
fn member_of(file: &Found, pattern: Option<&Pattern>) -> Option<Member> {
    let member =
        |target: AssetPath, parts: Parts| Member { file: file.clone(), parts, target, in_attic: false };
    let Ok(name) = std::str::from_utf8(file.path.name()) else {
        // A name that is no text has no versions: it stays what it is.
        return pattern.is_none().then(|| member(file.path.clone(), Parts::default()));
    };
    let parent = file.path.parent().unwrap_or_default();
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let parts = match pattern {
        None => usual(stem),
        Some(pattern) if !pattern.names => return None,
        Some(pattern) if pattern.paths => pattern.fit(&String::from_utf8_lossy(file.path.as_bytes()))?,
        Some(pattern) => pattern.fit(name).or_else(|| pattern.fit(stem))?,
    };
    let has_extension = !extension.is_empty()
        && pattern.is_some()
        && parts.name.to_lowercase().ends_with(&extension.to_lowercase());
    let target = if has_extension { parts.name.clone() } else { format!("{}{extension}", parts.name) };
    let path = match pattern {
        Some(pattern) if pattern.paths => AssetPath::from_bytes(target.into_bytes()).ok()?,
        _ => parent.join(target.as_bytes()).ok()?,
    };
    Some(member(path, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> AssetPath {
        AssetPath::from_bytes(text.as_bytes()).expect("a path")
    }

    fn targets(names: &[&str]) -> (Vec<(String, String)>, Vec<String>) {
        let files = names.iter().map(|name| Found { path: path(name), mtime_ms: 0 }).collect();
        let (mut left_out, mut notes) = (Vec::new(), Vec::new());
        let versions = file_versions(files, None, false, &mut left_out, &mut notes);
        let action = |version: &Version| match &version.actions[0] {
            Action::Put { path, from } => (path.to_string(), from.to_string()),
            Action::All { .. } => unreachable!("single files only"),
        };
        (versions.iter().map(action).collect(), notes)
    }

    fn assert_targets(pairs: &[(&str, &str)]) {
        let names: Vec<&str> = pairs.iter().map(|(_, from)| *from).collect();
        let expected: Vec<(String, String)> =
            pairs.iter().map(|(to, from)| ((*to).to_owned(), (*from).to_owned())).collect();
        assert_eq!(targets(&names).0, expected);
    }

    #[test]
    fn spellings_of_one_name_are_one_thing() {
        assert_targets(&[("Logo.ai", "Logo.ai"), ("Logo.ai", "logo_v1.AI"), ("Logo.ai", "Logo-v2.ai")]);
        assert_targets(&[
            ("My Logo.ai", "My Logo v1.ai"),
            ("My Logo.ai", "My Logo v2.ai"),
            ("My Logo.ai", "my_logo_v3.ai"),
        ]);
    }

    #[test]
    fn a_series_of_numbers_stays_apart_and_is_told() {
        let (found, notes) = targets(&["icon-01.svg", "icon-02.svg", "icon-03.svg"]);
        assert!(found.iter().all(|(to, from)| to == from), "{found:?}");
        assert!(notes[0].starts_with("icon-01.svg to icon-03.svg: 3 files"), "{notes:?}");
        assert_targets(&[("logo.ai", "logo.ai"), ("logo.ai", "logo 2.ai")]);
    }

    #[test]
    fn what_stands_alone_keeps_its_name() {
        assert_targets(&[("letter (final).docx", "letter (final).docx")]);
    }

    #[test]
    fn old_states_beside_what_they_are_states_of_come_first() {
        assert_targets(&[("logo.ai", "old/logo.ai"), ("logo.ai", "logo_v2.ai")]);
        assert_targets(&[("old/alone.ai", "old/alone.ai")]);
    }
}
