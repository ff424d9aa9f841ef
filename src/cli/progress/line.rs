//! The words of a progress line.

use crate::base::monitor::Phase;
use crate::base::size::{count, human_bytes, human_count};
use std::time::{Duration, Instant};

/// Speeds are averaged over about this long.
const MEMORY: Duration = Duration::from_secs(3);
/// A speed known for less than this is not shown.
const SPEED_AFTER: Duration = Duration::from_secs(1);

/// How far the work has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub phase: Phase,
    pub files: u64,
    pub bytes: u64,
    pub bytes_shared: u64,
    pub commits: u64,
    /// Commits in all; zero when the work is not about commits.
    pub commits_total: u64,
}

/// How fast it goes on.
#[derive(Debug, Default)]
pub(super) struct Speed {
    began: Option<Instant>,
    last: Option<(Instant, u64, u64, u64)>,
    bytes_per_s: f64,
    files_per_s: f64,
    commits_per_s: f64,
}

impl Speed {
    /// Takes a reading.
    pub fn note(&mut self, now: Instant, state: &State) {
        let began = *self.began.get_or_insert(now);
        if let Some((then, files, bytes, commits)) = self.last {
            let passed = (now - then).as_secs_f64();
            if passed <= 0.0 {
                return;
            }
            // The first seconds count evenly, later ones fade.
            let known = (then - began).min(MEMORY).as_secs_f64();
            let share = passed / (known + passed);
            let mix = |old: f64, new: f64| old + (new - old) * share;
            self.bytes_per_s = mix(self.bytes_per_s, state.bytes.saturating_sub(bytes) as f64 / passed);
            self.files_per_s = mix(self.files_per_s, state.files.saturating_sub(files) as f64 / passed);
            self.commits_per_s =
                mix(self.commits_per_s, state.commits.saturating_sub(commits) as f64 / passed);
        }
        self.last = Some((now, state.files, state.bytes, state.commits));
    }

    fn is_known(&self) -> bool {
        self.began.zip(self.last).is_some_and(|(began, last)| last.0 - began >= SPEED_AFTER)
    }

    /// How fast bytes go, or commits where none do.
    fn text(&self, state: &State) -> Option<String> {
        if state.bytes > 0 {
            return Some(format!("{}/s", human_bytes(self.bytes_per_s.max(0.0) as u64)));
        }
        let commits = self.commits_per_s.max(0.0) as u64;
        (state.commits > 0).then(|| format!("{}/s", count(commits, "commit", "commits")))
    }

    fn seconds_left(&self, state: &State) -> Option<f64> {
        let left = |total: u64, done: u64, per_s: f64| {
            (per_s > 0.0 && done < total).then(|| (total - done) as f64 / per_s)
        };
        if state.commits_total > 0 {
            return left(state.commits_total, state.commits, self.commits_per_s);
        }
        match (state.phase.bytes_total, state.phase.files_total) {
            (Some(total), _) => left(total, state.bytes, self.bytes_per_s),
            (None, Some(total)) => left(total, state.files, self.files_per_s),
            (None, None) => None,
        }
    }
}

/// Writes the line in at most `columns` characters; what matters least goes first.
pub(super) fn describe(state: &State, speed: &Speed, columns: usize) -> String {
    let mut parts = [
        commits_text(state),
        files_text(state),
        bytes_text(state),
        if speed.is_known() { speed.text(state) } else { None },
        if speed.is_known() { speed.seconds_left(state).map(time_left_text) } else { None },
        shared_text(state),
    ];
    for dropped in [3, 4, 1, 5, 2, 0] {
        let line = join(state.phase.name, &parts);
        if line.chars().count() <= columns {
            return line;
        }
        parts[dropped] = None;
    }
    state.phase.name.chars().take(columns).collect()
}

fn join(name: &str, parts: &[Option<String>]) -> String {
    let parts: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    if parts.is_empty() { name.to_owned() } else { format!("{name}: {}", parts.join(", ")) }
}

fn commits_text(state: &State) -> Option<String> {
    match (state.commits, state.commits_total) {
        (0, 0) => None,
        (done, 0) => Some(count(done, "commit", "commits")),
        (done, total) => Some(format!("{} of {} commits", human_count(done), human_count(total))),
    }
}

fn files_text(state: &State) -> Option<String> {
    match state.phase.files_total {
        Some(total) => Some(format!("{} of {}", human_count(state.files), count(total, "file", "files"))),
        None if state.files > 0 => Some(count(state.files, "file", "files")),
        None => None,
    }
}

fn bytes_text(state: &State) -> Option<String> {
    match state.phase.bytes_total {
        Some(total) => Some(bytes_of(state.bytes, total)),
        None if state.bytes > 0 => Some(human_bytes(state.bytes)),
        None => None,
    }
}

/// Two sizes in the unit of the second: `1.2 of 3.4 GB`.
fn bytes_of(done: u64, total: u64) -> String {
    let text = human_bytes(total);
    let (Some((number, unit)), true) = (text.rsplit_once(' '), total >= 1000) else {
        return format!("{done} of {text}");
    };
    let scale = total as f64 / number.parse::<f64>().unwrap_or(1.0);
    let decimals = usize::from(total as f64 / scale < 99.95);
    format!("{:.decimals$} of {:.decimals$} {unit}", done as f64 / scale, total as f64 / scale)
}

fn shared_text(state: &State) -> Option<String> {
    let percent = u128::from(state.bytes_shared) * 100 / u128::from(state.bytes.max(1));
    (state.bytes_shared > 0).then(|| format!("{}% already here", percent.min(100)))
}

fn time_left_text(seconds: f64) -> String {
    // More than a million hours is no forecast; the cast saturates.
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..=99 => format!("{seconds} s left"),
        100..=5_999 => format!("{} min left", seconds.div_ceil(60)),
        _ => format!("{} h left", human_count(seconds.div_ceil(3600))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let phase = Phase { name: "Reading", files_total: Some(25_282), bytes_total: Some(3_400_000_000) };
        State {
            phase,
            files: 4812,
            bytes: 1_200_000_000,
            bytes_shared: 1_164_000_000,
            commits: 0,
            commits_total: 0,
        }
    }

    fn steady(state: &State, bytes_per_s: u64) -> Speed {
        let began = Instant::now();
        let mut speed = Speed::default();
        for second in 0..5 {
            let bytes = bytes_per_s * second;
            speed.note(began + Duration::from_secs(second), &State { bytes, ..*state });
        }
        speed
    }

    #[test]
    fn a_line_says_how_far_how_fast_how_long_and_what_was_here_already() {
        let speed = steady(&state(), 410_000_000);
        assert_eq!(
            describe(&state(), &speed, 100),
            "Reading: 4,812 of 25,282 files, 1.2 of 3.4 GB, 410 MB/s, 6 s left, 97% already here"
        );
    }

    #[test]
    fn a_narrow_terminal_gets_what_matters_most() {
        let speed = steady(&state(), 410_000_000);
        assert_eq!(
            describe(&state(), &speed, 70),
            "Reading: 4,812 of 25,282 files, 1.2 of 3.4 GB, 97% already here"
        );
        assert_eq!(describe(&state(), &speed, 25), "Reading: 1.2 of 3.4 GB");
        assert_eq!(describe(&state(), &speed, 4), "Read");
    }

    #[test]
    fn work_on_a_history_counts_commits_and_says_how_long_it_takes() {
        let phase = Phase { name: "Importing", files_total: None, bytes_total: None };
        let state = State { phase, files: 90, commits: 400, commits_total: 10_000, ..state() };
        let began = Instant::now();
        let mut speed = Speed::default();
        for second in 0..5 {
            let at = State { commits: 100 * second, bytes: 300_000_000 * second, ..state };
            speed.note(began + Duration::from_secs(second), &at);
        }
        assert_eq!(
            describe(&state, &speed, 110),
            "Importing: 400 of 10,000 commits, 90 files, 1.20 GB, 300 MB/s, 96 s left, 97% already here"
        );
        let reading = State { bytes: 0, bytes_shared: 0, files: 0, commits_total: 0, ..state };
        assert_eq!(describe(&reading, &speed, 80), "Importing: 400 commits, 100 commits/s");
    }

    #[test]
    fn without_totals_it_counts() {
        let phase = Phase { name: "Looking", files_total: None, bytes_total: None };
        let state = State { phase, files: 12, bytes: 0, bytes_shared: 0, commits: 0, commits_total: 0 };
        assert_eq!(describe(&state, &Speed::default(), 80), "Looking: 12 files");
    }

    #[test]
    fn a_speed_fades_to_the_present_one() {
        let began = Instant::now();
        let mut speed = steady(&state(), 1_000_000);
        for second in 5..25 {
            let bytes = 4_000_000 + (second - 4) * 9_000_000;
            speed.note(began + Duration::from_secs(second), &State { bytes, ..state() });
        }
        assert!((speed.bytes_per_s - 9_000_000.0).abs() < 100_000.0, "{}", speed.bytes_per_s);
    }
}
