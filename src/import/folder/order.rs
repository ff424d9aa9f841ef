//! Which of several versions of one thing came first. Names say it, and times say it; both lie, so times
//! are believed only where they agree with what names say.

use crate::import::folder::habits::{finality, is_early, is_later};
use crate::import::folder::pattern::Parts;

/// Files that were changed within so many milliseconds were copied together: their times say nothing.
const COPIED_TOGETHER_MS: i64 = 10 * 60 * 1000;

/// What a version says about its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clues {
    pub parts: Parts,
    pub mtime_ms: i64,
    /// Whether it lies in a folder for old states.
    pub in_attic: bool,
}

impl Clues {
    /// When it was made, as far as can be told.
    pub fn time_ms(&self) -> i64 {
        self.parts.date_ms.unwrap_or(self.mtime_ms)
    }

    /// Where it belongs by what it is called: early states, the plain name, numbers and dates, what is newer
    /// or final.
    fn rank(&self) -> u8 {
        let is_final = self.parts.words.iter().any(|word| finality(word).is_some() || is_later(word));
        let is_early = self.in_attic || self.parts.words.iter().any(|word| is_early(word));
        let is_placed = !self.parts.number.is_empty() || self.parts.date_ms.is_some();
        match (is_placed, is_final, is_early) {
            (true, ..) => 2,
            (false, true, false) => 3,
            (false, _, true) => 0,
            (false, false, false) => 1,
        }
    }

    fn finality(&self) -> u64 {
        self.parts.words.iter().filter_map(|word| finality(word)).sum()
    }

    fn newness(&self) -> usize {
        self.parts.words.iter().filter(|word| is_later(word)).count()
    }

    fn copy(&self) -> u64 {
        self.parts.copy.unwrap_or(0)
    }
}

/// Sorts versions of one thing, oldest first. Equal ones stay as they are.
pub(super) fn in_order<T>(versions: &mut [T], clues: &dyn Fn(&T) -> Clues) {
    let all: Vec<Clues> = versions.iter().map(clues).collect();
    if are_believable(&all) {
        versions.sort_by_cached_key(|version| {
            let clues = clues(version);
            (clues.time_ms(), clues.parts.number.clone(), clues.finality(), clues.copy())
        });
        return;
    }
    versions.sort_by_cached_key(|version| {
        let clues = clues(version);
        let (finality, newness) = (clues.finality(), clues.newness());
        (
            clues.rank(),
            clues.parts.number.clone(),
            clues.parts.date_ms,
            finality,
            newness,
            clues.copy(),
            clues.time_ms(),
        )
    });
}

/// Whether times agree with numbers, and are no times of copying.
fn are_believable(all: &[Clues]) -> bool {
    let undated = || all.iter().filter(|clues| clues.parts.date_ms.is_none());
    let times = || undated().map(|clues| clues.mtime_ms);
    let spread = times().max().zip(times().min()).map_or(i64::MAX, |(newest, oldest)| newest - oldest);
    let is_spread = spread > COPIED_TOGETHER_MS || undated().count() < 2 && all.len() > undated().count() + 1;
    let mut numbered: Vec<&Clues> = all.iter().filter(|clues| !clues.parts.number.is_empty()).collect();
    numbered.sort_by_key(|clues| (clues.parts.number.clone(), clues.finality(), clues.time_ms()));
    let agrees = numbered
        .windows(2)
        .all(|pair| pair[0].parts.number == pair[1].parts.number || pair[0].time_ms() <= pair[1].time_ms());
    is_spread && agrees
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::folder::habits::usual;

    const DAY: i64 = 86_400_000;

    fn sorted(names: &[(&str, i64)]) -> Vec<String> {
        let mut names = names.to_vec();
        in_order(&mut names, &|(name, day)| Clues {
            parts: usual(name),
            mtime_ms: 1_700_000_000_000 + day * DAY,
            in_attic: name.starts_with("old/"),
        });
        names.into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn times_decide_where_they_agree_with_the_names() {
        let names = [
            ("logo", 9),
            ("logo_v1", 1),
            ("logo_v2", 3),
            ("logo_final", 4),
            ("logo_v3", 6),
            ("logo_draft", 0),
        ];
        assert_eq!(
            sorted(&names),
            ["logo_draft", "logo_v1", "logo_v2", "logo_final", "logo_v3", "logo"],
            "what was called final went on"
        );
    }

    #[test]
    fn names_decide_where_everything_was_copied_on_one_day() {
        let names = [
            ("logo_final_final", 5),
            ("logo_v10", 5),
            ("logo_v9b", 5),
            ("logo", 5),
            ("logo_v9", 5),
            ("logo_final", 5),
            ("logo_draft", 5),
            ("logo_final_final_really", 5),
            ("logo copy", 5),
        ];
        assert_eq!(
            sorted(&names),
            [
                "logo_draft",
                "logo",
                "logo copy",
                "logo_v9",
                "logo_v9b",
                "logo_v10",
                "logo_final",
                "logo_final_final",
                "logo_final_final_really",
            ]
        );
    }

    #[test]
    fn numbers_decide_where_times_contradict_them() {
        assert_eq!(
            sorted(&[("poster_v10", 1), ("poster_v9", 5), ("poster", 9)]),
            ["poster", "poster_v9", "poster_v10"]
        );
    }

    #[test]
    fn dates_in_names_count_more_than_times_of_files() {
        let names = [("a_2024-03-01", 90), ("a_2024-01-01", 95), ("a_2024-02-01_JK", 80)];
        assert_eq!(sorted(&names), ["a_2024-01-01", "a_2024-02-01_JK", "a_2024-03-01"]);
    }
}
