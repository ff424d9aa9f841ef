//! Sizes as people read them.

/// Writes a number of bytes with three significant digits in decimal units: `6.2 MB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.5 would print as 1000, so the next unit starts there.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// Writes a count with thin separators: `25,282`.
pub fn human_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number of things with their name: `1 file`, `25,282 files`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", human_count(number), if number == 1 { one } else { many })
}

/// Writes `part` of `whole` as a percentage that never rounds up to 100: `99.7%`.
pub fn human_share(part: u64, whole: u64) -> String {
    if whole == 0 || part >= whole {
        return "100%".to_owned();
    }
    let tenths = (u128::from(part) * 1000 / u128::from(whole)) as u64;
    format!("{}.{}%", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let texts: Vec<_> = [0, 999, 1000, 6_200_000, 999_499, 999_500, 1_800_000_000]
            .iter()
            .map(|n| human_bytes(*n))
            .collect();
        assert_eq!(texts, ["0 B", "999 B", "1.00 kB", "6.20 MB", "999 kB", "1.00 MB", "1.80 GB"]);
        assert_eq!(human_count(25_282), "25,282");
    }

    #[test]
    fn a_share_below_the_whole_never_reads_as_the_whole() {
        assert_eq!(human_share(999_999, 1_000_000), "99.9%");
        assert_eq!(human_share(5, 5), "100%");
    }
}
