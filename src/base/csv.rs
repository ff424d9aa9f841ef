//! Tables as comma-separated values (RFC 4180), safe to open in a spreadsheet.

/// Writes one row with its line end.
///
/// A spreadsheet takes a field that begins with one of `= + - @`, a tab or a line end for a formula
/// and may run it; such a field gets an apostrophe in front. Control characters become blanks.
pub fn row<T: AsRef<str>>(fields: impl IntoIterator<Item = T>) -> String {
    let mut line = String::new();
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        push_field(&mut line, field.as_ref());
    }
    line.push_str("\r\n");
    line
}

fn push_field(line: &mut String, field: &str) {
    let is_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    line.push('"');
    if is_formula {
        line.push('\'');
    }
    for character in field.chars() {
        match character {
            '"' => line.push_str("\"\""),
            other if other.is_control() => line.push(' '),
            other => line.push(other),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cannot_become_formulas_columns_or_lines() {
        assert_eq!(row(["a", "b \"c\", d"]), "\"a\",\"b \"\"c\"\", d\"\r\n");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            let line = row([formula]);
            assert!(line.starts_with("\"'"), "{line:?}");
        }
        assert_eq!(row(["x\n=1"]), "\"x =1\"\r\n");
        assert_eq!(row(["7-1"]), "\"7-1\"\r\n");
    }
}
