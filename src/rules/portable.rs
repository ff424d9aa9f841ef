//! Names that must not be checked out, and names that some system cannot have.
//!
//! The repository lies in a folder called `.pent`. File systems call the same folder by many other
//! names: they fold case, drop invisible characters, cut trailing dots and spaces, give out short
//! names. A tree from a stranger may try any of them to write into the repository, so names that
//! reach `.pent` on *any* system are refused on *every* system ([`check_entry_name`]).
//!
//! Everything else is a matter of manners: a name that Windows cannot have is kept on Linux and said
//! so ([`portability`]), as are names that fall together on a Mac ([`find_twins`]).

use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization;

/// Name of the folder that holds a repository.
pub const REPOSITORY_FOLDER: &str = ".pent";
/// How the names of half-written files begin; sixteen hexadecimal digits follow.
pub const TEMPORARY_PREFIX: &[u8] = b".pent-tmp-";
/// Longest name that common file systems can have, in bytes.
const NAME_BYTES_COMMON: usize = 255;

/// Why a name may not be checked out on any system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameHazard {
    /// Some file system takes it for the repository's own folder.
    #[error("some systems take this name for the repository's own folder")]
    Repository,
    /// It is no name at all: empty, `.`, `..`, with a slash or a NUL, or too long.
    #[error("it is no name of a file")]
    NoName,
}

/// Why a name is trouble on some system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hazard {
    /// A device on Windows, with or without an extension.
    #[error("Windows keeps this name for a device")]
    ReservedOnWindows,
    /// A character that Windows names cannot have.
    #[error("Windows names cannot have one of its characters")]
    CharacterOnWindows,
    /// A dot or space at the end, which Windows cuts off.
    #[error("Windows cuts off the dot or space at its end")]
    EndOnWindows,
    /// Bytes that are not UTF-8: a Mac cannot have them.
    #[error("it is not UTF-8, which a Mac cannot store")]
    NotUtf8,
    /// More than 255 bytes: most file systems of Linux cannot have it.
    #[error("it is longer than 255 bytes, which Linux cannot store")]
    TooLong,
}

/// Which systems see one name where the tree has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TwinKind {
    /// They differ by upper and lower case.
    Case,
    /// They are the same text, composed differently (`é` as one or two code points).
    Normalisation,
    /// They differ by what Windows cuts off or a Mac does not see.
    Trimmed,
}

/// Names of one folder that fall together on some system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twins<'a> {
    /// Why they fall together.
    pub kind: TwinKind,
    /// The names, in the order given.
    pub names: Vec<&'a [u8]>,
}

/// Refuses names that reach the repository's own folder on any system, and what is no name.
pub fn check_entry_name(name: &[u8]) -> Result<(), NameHazard> {
    crate::base::path::check_name(name).map_err(|_| NameHazard::NoName)?;
    // A backslash separates names on Windows, a colon a file from its alternate streams.
    let reaches = name
        .split(|byte| *byte == b'\\')
        .map(|part| part.split(|byte| *byte == b':').next().unwrap_or_default())
        .any(is_repository_folder);
    if reaches { Err(NameHazard::Repository) } else { Ok(()) }
}

/// Whether some file system takes `name` for `.pent`.
fn is_repository_folder(name: &[u8]) -> bool {
    // Every look-alike has a `p`, an ASCII or a fullwidth one, near its start: most names end here.
    if !name.iter().take(16).any(|byte| matches!(byte, b'p' | b'P' | 0x80..)) {
        return false;
    }
    let Ok(text) = std::str::from_utf8(name) else {
        return is_pent(&name.to_ascii_lowercase());
    };
    let seen: String = text.chars().filter(|character| !is_ignored_by_hfs(*character)).nfkc().collect();
    is_pent(seen.to_lowercase().as_bytes())
}

/// Whether lower-case bytes are `.pent` or a short name that NTFS may give it.
fn is_pent(name: &[u8]) -> bool {
    let end = name.iter().rposition(|byte| !matches!(byte, b'.' | b' ')).map_or(0, |last| last + 1);
    let name = &name[..end];
    if name == REPOSITORY_FOLDER.as_bytes() {
        return true;
    }
    let Some(tilde) = name.iter().position(|byte| *byte == b'~') else { return false };
    let (stem, number) = (&name[..tilde], &name[tilde + 1..]);
    // `PENT~1` first; from the fifth on two letters and four digits of a hash: `PE3F2A~1`.
    let hashed = stem.len() == 6 && stem.starts_with(b"pe") && stem[2..].iter().all(u8::is_ascii_hexdigit);
    !number.is_empty() && number.iter().all(u8::is_ascii_digit) && (stem == b"pent" || hashed)
}

/// Code points that HFS+ leaves out when it compares names (Apple Technical Note TN1150).
fn is_ignored_by_hfs(character: char) -> bool {
    matches!(character,
        '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

/// Whether a symbolic link at `link`, a path below the top folder, points out of the top folder or
/// into the repository, as far as its text tells.
pub fn link_leads_outside(link: &[u8], target: &[u8]) -> bool {
    if target.starts_with(b"/") || target.contains(&0) {
        return true;
    }
    let mut depth = link.iter().filter(|byte| **byte == b'/').count();
    for name in target.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            name if check_entry_name(name) == Err(NameHazard::Repository) => return true,
            _ => depth += 1,
        }
    }
    false
}

/// Whether a name is one that checkout gives to half-written files.
pub fn is_temporary_name(name: &[u8]) -> bool {
    name.strip_prefix(TEMPORARY_PREFIX)
        .is_some_and(|rest| rest.len() == 16 && rest.iter().all(u8::is_ascii_hexdigit))
}

/// The first trouble that a name would make on another system, the worst first.
pub fn portability(name: &[u8]) -> Option<Hazard> {
    if is_reserved_on_windows(name) {
        Some(Hazard::ReservedOnWindows)
    } else if name
        .iter()
        .any(|byte| matches!(byte, 0..=31 | b'<' | b'>' | b':' | b'"' | b'|' | b'?' | b'*' | b'\\'))
    {
        Some(Hazard::CharacterOnWindows)
    } else if matches!(name.last(), Some(b'.' | b' ')) {
        Some(Hazard::EndOnWindows)
    } else if std::str::from_utf8(name).is_err() {
        Some(Hazard::NotUtf8)
    } else if name.len() > NAME_BYTES_COMMON {
        Some(Hazard::TooLong)
    } else {
        None
    }
}

/// Device names of Windows: also in any case, with an extension, with spaces before it, and with
/// superscript digits ("Naming Files, Paths, and Namespaces", Microsoft).
fn is_reserved_on_windows(name: &[u8]) -> bool {
    let stem = name.split(|byte| matches!(byte, b'.' | b':')).next().unwrap_or_default();
    let end = stem.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    let stem = stem[..end].to_ascii_lowercase();
    if matches!(stem.as_slice(), b"con" | b"prn" | b"aux" | b"nul" | b"conin$" | b"conout$") {
        return true;
    }
    let number = stem.strip_prefix(b"com").or_else(|| stem.strip_prefix(b"lpt"));
    number.is_some_and(|number| {
        matches!(number, [b'1'..=b'9']) || ["¹", "²", "³"].iter().any(|digit| digit.as_bytes() == number)
    })
}

/// Finds names of one folder that fall together on a system that folds case, normalises or trims.
///
/// Groups come in the order of their first names.
pub fn find_twins<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Vec<Twins<'a>> {
    let mut groups: BTreeMap<Vec<u8>, (usize, Vec<&'a [u8]>)> = BTreeMap::new();
    for (position, name) in names.into_iter().enumerate() {
        groups.entry(folded(name)).or_insert_with(|| (position, Vec::new())).1.push(name);
    }
    let mut twins: Vec<_> = groups.into_values().filter(|(_, names)| names.len() > 1).collect();
    twins.sort_by_key(|(position, _)| *position);
    twins.into_iter().map(|(_, names)| Twins { kind: twin_kind(&names), names }).collect()
}

/// The key under which names fall together: invisible characters gone, decomposed, case folded,
/// what Windows cuts off cut off.
///
/// Case is folded by way of upper case, so that `ß` meets `SS` and `ς` meets `σ`, as on file systems
/// with full folding. Names that are not UTF-8 fold by ASCII alone.
pub fn folded(name: &[u8]) -> Vec<u8> {
    let mut key = match std::str::from_utf8(name) {
        Ok(text) if text.is_ascii() => text.to_ascii_lowercase().into_bytes(),
        Ok(text) => fold_text(text).into_bytes(),
        Err(_) => name.to_ascii_lowercase(),
    };
    while matches!(key.last(), Some(b'.' | b' ')) {
        key.pop();
    }
    key
}

fn fold_text(text: &str) -> String {
    let seen = text.chars().filter(|character| !is_ignored_by_hfs(*character));
    seen.nfd().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfd().collect()
}

fn twin_kind(names: &[&[u8]]) -> TwinKind {
    let same_by = |key: fn(&str) -> String| {
        let texts: Option<Vec<_>> =
            names.iter().map(|name| std::str::from_utf8(name).ok().map(key)).collect();
        texts.is_some_and(|texts| texts.windows(2).all(|pair| pair[0] == pair[1]))
    };
    if same_by(|text| text.nfd().collect()) {
        TwinKind::Normalisation
    } else if same_by(|text| text.nfd().flat_map(char::to_uppercase).collect()) {
        TwinKind::Case
    } else {
        TwinKind::Trimmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_some_system_takes_for_the_repository_is_refused() {
        let names = [
            ".pent",
            ".PENT",
            ".Pent",
            ".pent.",
            ".pent ",
            ".pent . .",
            ".pent:stream",
            ".pent::$INDEX_ALLOCATION",
            "pent~1",
            "PENT~1",
            "PENT~12",
            "PE3F2A~1",
            "pent~1.",
            ".pe\u{200c}nt",
            "\u{feff}.pent",
            ".pent\u{202e}",
            "\u{ff0e}\u{ff50}\u{ff45}\u{ff4e}\u{ff54}",
            "\u{2024}pent",
            ".\u{ff30}ENT",
            "a\\.pent",
            ".pent\\config.toml",
            "..\\.PENT\\x",
        ];
        for name in names {
            assert_eq!(check_entry_name(name.as_bytes()), Err(NameHazard::Repository), "{name:?}");
        }
        assert_eq!(check_entry_name(b".PENT\xff"), Ok(()));
    }

    #[test]
    fn names_that_only_resemble_it_are_fine() {
        for name in [
            ".pentignore",
            "pent",
            ".pent-tmp-0123456789abcdef",
            ".pen",
            "..pent",
            "pent~",
            "pent~a",
            "serpent~1",
            "a.pent",
            "PEABCD~x",
            "penté",
            "logo.psd",
        ] {
            assert_eq!(check_entry_name(name.as_bytes()), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", ".", "..", "a/b", "a\0"] {
            assert_eq!(check_entry_name(name.as_bytes()), Err(NameHazard::NoName), "{name:?}");
        }
    }

    #[test]
    fn devices_of_windows_are_known_in_all_their_forms() {
        for name in ["CON", "nul", "Aux.psd", "com1", "LPT9.tar.gz", "nul .txt", "COM¹", "conin$", "PRN:x"] {
            assert_eq!(portability(name.as_bytes()), Some(Hazard::ReservedOnWindows), "{name:?}");
        }
        for name in ["CONSOLE", "com0", "com10", "lpt", "nully", "icon.png"] {
            assert_eq!(portability(name.as_bytes()), None, "{name:?}");
        }
    }

    #[test]
    fn other_names_that_do_not_travel_are_known() {
        assert_eq!(portability(b"what?.png"), Some(Hazard::CharacterOnWindows));
        assert_eq!(portability(b"a\nb"), Some(Hazard::CharacterOnWindows));
        assert_eq!(portability(b"logo."), Some(Hazard::EndOnWindows));
        assert_eq!(portability(b"logo "), Some(Hazard::EndOnWindows));
        assert_eq!(portability(b"\xffx"), Some(Hazard::NotUtf8));
        assert_eq!(portability("ä".repeat(200).as_bytes()), Some(Hazard::TooLong));
    }

    #[test]
    fn twins_are_found_with_their_reason() {
        let names: Vec<&[u8]> = vec![
            b"Logo.psd",
            "caf\u{e9}.png".as_bytes(),
            b"alone",
            b"logo.PSD",
            "cafe\u{301}.png".as_bytes(),
            b"end",
            b"end.",
            "STRASSE".as_bytes(),
            "straße".as_bytes(),
        ];
        let found: Vec<_> =
            find_twins(names).into_iter().map(|twins| (twins.kind, twins.names.len())).collect();
        assert_eq!(
            found,
            [(TwinKind::Case, 2), (TwinKind::Normalisation, 2), (TwinKind::Trimmed, 2), (TwinKind::Case, 2)]
        );
    }

    #[test]
    fn bytes_that_are_not_text_twin_only_by_ascii_case() {
        let names: Vec<&[u8]> = vec![b"A\xff", b"a\xff", b"a\xfe"];
        assert_eq!(find_twins(names).len(), 1);
    }

    #[test]
    fn links_that_leave_the_folder_are_known_by_their_text() {
        for (link, target) in [
            ("a", "/etc/passwd"),
            ("a", ".."),
            ("a/b", "../../x"),
            ("a/b", "x/../../../y"),
            ("a", ".PENT/config.toml"),
        ] {
            assert!(link_leads_outside(link.as_bytes(), target.as_bytes()), "{link} -> {target}");
        }
        for (link, target) in [("a", "b"), ("a/b", "../c"), ("a/b/c", "../../d/./e"), ("a", "b/../c")] {
            assert!(!link_leads_outside(link.as_bytes(), target.as_bytes()), "{link} -> {target}");
        }
    }

    #[test]
    fn only_whole_temporary_names_count() {
        assert!(is_temporary_name(b".pent-tmp-0123456789abcdef"));
        assert!(!is_temporary_name(b".pent-tmp-0123456789abcde"));
        assert!(!is_temporary_name(b".pent-tmp-readme-of-mine1"));
    }
}
