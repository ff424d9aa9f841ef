//! How people write versions into names when nobody tells them how: `logo_v2_FINAL`, `logo final final`,
//! `2024-03-01 logo`, `logo copy 2`, `brochure_v3_JK`. A name is taken apart here; what it means beside
//! other names is for [`scan`](super::scan).

use crate::import::folder::pattern::{Dated, Parts, parse_date};

/// What parts the words of a name.
const SEPARATORS: [char; 12] = ['_', '-', ' ', '(', ')', '[', ']', '+', ',', '~', '\'', '’'];
/// Words in front of the number of a version.
const PREFIXES: [&str; 12] =
    ["v", "ver", "version", "vers", "r", "rev", "revision", "no", "nr", "round", "runde", "fassung"];
/// Words that say that something is finished.
const FINAL: [&str; 19] = [
    "final",
    "finals",
    "finale",
    "finished",
    "fin",
    "approved",
    "ok",
    "done",
    "release",
    "released",
    "really",
    "definitive",
    "definitif",
    "definitivo",
    "endgültig",
    "fertig",
    "freigegeben",
    "letzte",
    "last",
];
/// Words that say that something comes before other things.
const EARLY: [&str; 15] = [
    "old", "older", "draft", "wip", "sketch", "rough", "backup", "bak", "alte", "entwurf", "vieux", "ancien",
    "viejo", "prev", "previous",
];
/// Words that say that something is later than what it is called otherwise.
const LATER: [&str; 15] = [
    "new",
    "newer",
    "newest",
    "latest",
    "edit",
    "edited",
    "fixed",
    "fix",
    "corrected",
    "korrektur",
    "korrigiert",
    "neu",
    "nouveau",
    "nuevo",
    "updated",
];
/// Words of copies.
const COPY: [&str; 6] = ["copy", "kopie", "copie", "copia", "duplicate", "conflict"];
/// What people write when words are not enough.
const PHRASES: [&str; 6] = ["use this one", "use this", "this one", "this is it", "do not use", "dont use"];
/// Two or three capitals that tell variants apart and not people.
const VARIANTS: [&str; 30] = [
    "EN", "DE", "FR", "ES", "IT", "NL", "PT", "SV", "DA", "FI", "NO", "PL", "CS", "RU", "ZH", "JA", "KO",
    "US", "UK", "GB", "EU", "RGB", "BW", "SW", "HD", "UHD", "XS", "XL", "XXL", "PMS",
];

/// Whether a word says that something comes before other things.
pub fn is_early(word: &str) -> bool {
    EARLY.contains(&word)
}

/// How final a word is: a number that it ends in counts on (`final2`).
pub fn finality(word: &str) -> Option<u64> {
    let digits = word.trim_start_matches(|c: char| !c.is_ascii_digit());
    let text = word.strip_suffix(digits).unwrap_or(word);
    if text == "use" || PHRASES.contains(&text) {
        return Some(2);
    }
    FINAL.contains(&text).then(|| digits.parse().unwrap_or(1).max(1))
}

/// Whether a word says that something is later than what it is called otherwise.
pub fn is_later(word: &str) -> bool {
    LATER.contains(&word)
}

/// Whether a folder of this name holds older states of what lies beside it.
pub fn is_attic(name: &str) -> bool {
    let plain = name.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let words =
        ["archive", "archiv", "archives", "archived", "backups", "versions", "history", "older versions"];
    is_early(&plain)
        || words.contains(&plain.as_str())
        || matches!(plain.as_str(), "olds" | "old versions" | "alt" | "ältere")
}

/// Takes a name (without extension) apart.
pub fn usual(stem: &str) -> Parts {
    let mut parts = Parts::default();
    let text = without_conflict(stem, &mut parts);
    let mut rest = match date_in(&text) {
        Some((start, end, date)) => {
            if parts.date_ms.is_none() {
                parts.set_date(date);
            }
            join(&text[..start], &text[end..])
        }
        None => text,
    };
    strip_end(&mut rest, &mut parts);
    if parts.number.is_empty() {
        take_from_middle(&mut rest, &mut parts);
    }
    let trimmed = rest.trim_matches(is_separator);
    parts.name = if trimmed.is_empty() { stem.to_owned() } else { trimmed.to_owned() };
    parts.words.reverse();
    parts
}

fn is_separator(character: char) -> bool {
    SEPARATORS.contains(&character) || character == '.'
}

/// Takes out what Dropbox and its like add: `(Ana's conflicted copy 2024-03-01)`.
fn without_conflict(stem: &str, parts: &mut Parts) -> String {
    let found = stem.to_ascii_lowercase().find("conflicted copy");
    let open = found.and_then(|at| Some((stem[..at].rfind('(')?, at + stem[at..].find(')')?)));
    let Some((open, close)) = open else { return stem.to_owned() };
    parts.words.push("conflict".to_owned());
    if let Some((.., date)) = date_in(&stem[open..close]) {
        parts.set_date(date);
    }
    join(&stem[..open], &stem[close + 1..])
}

/// What stands on both sides of something that was taken out, parted as it was.
fn join(before: &str, after: &str) -> String {
    let (left, right) = (before.trim_end_matches(is_separator), after.trim_start_matches(is_separator));
    match (left.is_empty(), right.is_empty()) {
        (false, false) => {
            let separator = before[left.len()..].chars().next().unwrap_or('_');
            format!("{left}{}{right}", if separator == '(' { ' ' } else { separator })
        }
        (true, _) => right.to_owned(),
        (_, true) => left.to_owned(),
    }
}

/// The first date in a text: where it stands, and the moment.
fn date_in(text: &str) -> Option<(usize, usize, Dated)> {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    for (start, character) in text.char_indices().filter(|(_, character)| character.is_ascii_digit()) {
        if is_digit(text[..start].chars().next_back()) || character > '3' {
            continue;
        }
        for length in [19usize, 17, 16, 15, 13, 10, 8, 6] {
            let Some(found) = text.get(start..start + length) else { continue };
            if is_digit(text[start + length..].chars().next()) {
                continue;
            }
            let date = if length == 6 { short_date(text, start) } else { parse_date(found) };
            if let Some(date) = date {
                return Some((start, start + length, date));
            }
        }
    }
    None
}

/// `240301`, at the start or the end of a name, in the years that such names are from.
fn short_date(text: &str, start: usize) -> Option<Dated> {
    let is_parted = |c: Option<char>| c.is_none_or(is_separator);
    let (before, after) = (&text[..start], &text[start + 6..]);
    let at_edge = before.is_empty() || after.is_empty();
    let digits = &text[start..start + 6];
    if !at_edge || !is_parted(before.chars().next_back()) || !is_parted(after.chars().next()) {
        return None;
    }
    ("15".."36").contains(&&digits[..2]).then(|| parse_date(&format!("20{digits}")))?
}

/// The last word of a text, and where it starts.
fn last_word(text: &str) -> (usize, &str) {
    let start = text.char_indices().rev().find(|(at, character)| parts_words(text, *at, *character));
    let start = start.map_or(0, |(at, character)| at + character.len_utf8());
    (start, &text[start..])
}

/// Whether a character parts two words: a dot between digits does not.
fn parts_words(text: &str, at: usize, character: char) -> bool {
    if character != '.' {
        return SEPARATORS.contains(&character);
    }
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    !(is_digit(text[..at].chars().next_back()) && is_digit(text[at + 1..].chars().next()))
}

/// Takes words that speak of versions off the end of a name.
fn strip_end(rest: &mut String, parts: &mut Parts) {
    loop {
        let was_in_parentheses = rest.ends_with(')');
        let trimmed = rest.trim_end_matches(is_separator);
        if let Some(phrase) = phrase_at_end(trimmed) {
            parts.words.push(PHRASES[phrase].to_owned());
            *rest = trimmed[..trimmed.len() - PHRASES[phrase].len()].to_owned();
            continue;
        }
        let (start, word) = last_word(trimmed);
        if start == 0 && parts.date_ms.is_none() {
            break;
        }
        let before = trimmed[..start].to_owned();
        let lower = word.to_lowercase();
        let in_parentheses = was_in_parentheses && before.ends_with('(');
        if !take_word(word, &lower, &before, in_parentheses, parts) {
            break;
        }
        // Where all of it speaks of versions, it is a name after all.
        let is_all = before.trim_matches(is_separator).is_empty();
        *rest = if is_all { trimmed_name(word, parts) } else { before };
        if is_all {
            break;
        }
    }
}

/// The word that was taken last comes back as the name.
fn trimmed_name(word: &str, parts: &mut Parts) -> String {
    if parts.words.last() == Some(&word.to_lowercase()) {
        parts.words.pop();
    }
    word.to_owned()
}

fn phrase_at_end(text: &str) -> Option<usize> {
    let plain: String =
        text.chars().map(|c| if is_separator(c) { ' ' } else { c.to_ascii_lowercase() }).collect();
    PHRASES.iter().position(|phrase| {
        plain.strip_suffix(phrase).is_some_and(|before| before.ends_with(' '))
            && text.is_char_boundary(text.len() - phrase.len())
    })
}

/// Takes one word at the end of a name if it speaks of versions.
fn take_word(word: &str, lower: &str, before: &str, in_parentheses: bool, parts: &mut Parts) -> bool {
    if let Some(number) = numbered(lower) {
        if !parts.number.is_empty() {
            return false;
        }
        parts.number = number;
        parts.bare = false;
        return true;
    }
    let bare = bare_number(lower);
    let previous = last_word(before.trim_end_matches(is_separator)).1.to_lowercase();
    match bare {
        Some(number) if in_parentheses || COPY.contains(&previous.as_str()) => {
            parts.copy = parts.copy.or(number.first().copied());
            true
        }
        Some(number) if parts.number.is_empty() => {
            parts.bare = !PREFIXES.contains(&previous.as_str());
            parts.number = number;
            true
        }
        Some(_) => false,
        None if is_prefix_of_number(lower, parts) || COPY.contains(&lower) => {
            parts.copy = parts.copy.or(COPY.contains(&lower).then_some(1));
            true
        }
        None if is_early(lower) || is_later(lower) || finality(lower).is_some() => {
            parts.words.push(lower.to_owned());
            true
        }
        None => is_initials(word) && speaks_of_versions(before, parts),
    }
}

/// `version` in front of a number that was taken already.
fn is_prefix_of_number(lower: &str, parts: &Parts) -> bool {
    PREFIXES.contains(&lower) && !parts.number.is_empty() && !parts.bare
}

/// Whether capitals at the end of a name are those of a person: they come after a version.
fn is_initials(word: &str) -> bool {
    (2..=3).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_uppercase())
        && !VARIANTS.contains(&word)
}

fn speaks_of_versions(before: &str, parts: &Parts) -> bool {
    let lower = last_word(before.trim_end_matches(is_separator)).1.to_lowercase();
    parts.date_ms.is_some() || numbered(&lower).is_some() || finality(&lower).is_some()
}

/// The number in `v2`, `v1.2`, `v02b`, `version2`, `r3`, `revC`.
fn numbered(lower: &str) -> Option<Vec<u64>> {
    let digits = lower.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let prefix = lower[..lower.len() - digits.len()].trim_end_matches('.');
    if digits.is_empty() {
        let letter = prefix.strip_prefix("rev").filter(|letter| letter.len() == 1)?;
        return Some(vec![u64::from(letter.as_bytes()[0] - b'a') + 1]);
    }
    if !PREFIXES.contains(&prefix) {
        return None;
    }
    let (digits, letter) = match digits.as_bytes().last() {
        Some(letter) if letter.is_ascii_lowercase() => {
            (&digits[..digits.len() - 1], Some(u64::from(letter - b'a') + 1))
        }
        _ => (digits, None),
    };
    let mut number = dotted(digits, 9)?;
    number.extend(letter);
    Some(number)
}

/// A number without anything in front; years and sizes are none.
fn bare_number(lower: &str) -> Option<Vec<u64>> {
    dotted(lower, 3)
}

fn dotted(text: &str, digits_max: usize) -> Option<Vec<u64>> {
    let parts: Vec<&str> = text.split('.').collect();
    let fits = |part: &&str| {
        (1..=digits_max).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if parts.len() > 4 || !parts.iter().all(fits) {
        return None;
    }
    parts.into_iter().map(|part| part.parse().ok()).collect()
}

/// Takes `v2` out of the middle of a name: what follows tells variants apart (`logo_v2_blue`).
fn take_from_middle(rest: &mut String, parts: &mut Parts) {
    let mut end = rest.len();
    loop {
        let (start, word) = last_word(&rest[..end]);
        if start == 0 {
            return;
        }
        if let Some(number) = numbered(&word.to_lowercase()).filter(|_| end < rest.len()) {
            parts.number = number;
            *rest = join(&rest[..start], &rest[end..]);
            return;
        }
        end = start - rest[..start].chars().next_back().map_or(0, char::len_utf8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, number, copy, words.
    fn said(stem: &str) -> (String, Vec<u64>, Option<u64>, String) {
        let parts = usual(stem);
        (parts.name, parts.number, parts.copy, parts.words.join(" "))
    }

    fn expect(stem: &str, name: &str, number: &[u64], copy: Option<u64>, words: &str) {
        let wanted = (name.to_owned(), number.to_vec(), copy, words.to_owned());
        assert_eq!(said(stem), wanted, "{stem}");
    }

    #[test]
    fn numbers_words_and_copies_are_taken_off_the_end() {
        expect("logo_v1", "logo", &[1], None, "");
        expect("logo_v2_FINAL", "logo", &[2], None, "final");
        expect("logo_final_final", "logo", &[], None, "final final");
        expect("logo final2", "logo", &[], None, "final2");
        expect("logo (3)", "logo", &[], Some(3), "");
        expect("Logo copy", "Logo", &[], Some(1), "");
        expect("Logo copy 2", "Logo", &[], Some(2), "");
        expect("Brochure FINAL (2)", "Brochure", &[], Some(2), "final");
        expect("LOGO-final-USE-THIS-ONE", "LOGO", &[], None, "final use this one");
        expect("Präsentation_neu_neu", "Präsentation", &[], None, "neu neu");
        expect("business card v1.1", "business card", &[1, 1], None, "");
        expect("logo_v02b", "logo", &[2, 2], None, "");
        expect("layout Version 3", "layout", &[3], None, "");
        expect("drawing_revB", "drawing", &[2], None, "");
        expect("brochure_v3_JK", "brochure", &[3], None, "");
    }

    #[test]
    fn what_tells_variants_apart_stays_in_the_name() {
        expect("logo_v2_blue", "logo_blue", &[2], None, "");
        expect("brochure_v2_EN", "brochure_EN", &[2], None, "");
        expect("poster A3 v1", "poster A3", &[1], None, "");
        expect("poster-1920", "poster-1920", &[], None, "");
        expect("banner_1920x1080", "banner_1920x1080", &[], None, "");
        expect("hero@2x", "hero@2x", &[], None, "");
        expect("final", "final", &[], None, "");
        expect("chapter one", "chapter one", &[], None, "");
        expect("v2", "v2", &[], None, "");
        expect("IMG_2034", "IMG_2034", &[], None, "");
    }

    #[test]
    fn dates_are_found_wherever_they_stand() {
        let day = |stem: &str| {
            let parts = usual(stem);
            (parts.name, parts.date_ms, parts.words.join(" "))
        };
        let wanted = |name: &str, words: &str| (name.to_owned(), Some(1_709_251_200_000), words.to_owned());
        assert_eq!(day("poster_2024-03-01"), wanted("poster", ""));
        assert_eq!(day("2024-03-01 poster"), wanted("poster", ""));
        assert_eq!(day("240301_poster"), wanted("poster", ""));
        assert_eq!(day("poster_2024-03-01_JK"), wanted("poster", ""));
        assert_eq!(day("poster_2024-03-01_print"), wanted("poster_print", ""));
        assert_eq!(day("poster_01.03.2024_blue"), wanted("poster_blue", ""));
        assert_eq!(day("poster (Ana's conflicted copy 2024-03-01)"), wanted("poster", "conflict"));
        assert_eq!(day("2024-03-01"), wanted("2024-03-01", ""));
        assert_eq!(usual("item 123456").date_ms, None);
    }

    #[test]
    fn folders_of_old_states_are_known_by_their_names() {
        for name in ["old", "_OLD", "Archive", "Backup", "old versions"] {
            assert!(is_attic(name), "{name}");
        }
        for name in ["logos", "gold", "archive of the town"] {
            assert!(!is_attic(name), "{name}");
        }
    }
}
