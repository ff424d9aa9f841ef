//! Columns that line up, for lists of a bounded length.

use crate::cli::output::{Page, Styles};
use anstyle::Style;
use std::io;
use unicode_width::UnicodeWidthStr as _;

/// Blanks between two cells.
const GAP: usize = 2;
/// A column is not made narrower than this.
const WIDTH_MIN: usize = 12;
/// How far the second line of a row is set in.
const SET_IN: usize = 4;

/// A cell: its text and how it is painted.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
    right: bool,
}

impl Cell {
    /// Text to the left.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::new(), right: false }
    }

    /// A number to the right.
    pub fn right(text: impl Into<String>) -> Self {
        Self { right: true, ..Self::new(text) }
    }

    /// The same text in a style.
    pub fn styled(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Rows whose cells line up, two blanks apart.
#[derive(Debug, Default)]
pub struct Columns {
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Columns {
    /// Rows that begin after so many blanks.
    pub fn indented(indent: usize) -> Self {
        Self { rows: Vec::new(), indent }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes all rows.
    pub fn write(&self, page: &mut Page<'_>) -> io::Result<()> {
        for line in self.lines(page.styles, page.columns.unwrap_or(usize::MAX)) {
            page.line(line)?;
        }
        Ok(())
    }

    fn lines(&self, styles: Styles, limit: usize) -> Vec<String> {
        let widths = self.widths(limit);
        let mut lines = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            if self.fits(row, &widths, limit) {
                lines.push(self.line(row, &widths, styles));
            } else {
                self.flow(row, limit, styles, &mut lines);
            }
        }
        lines
    }

    /// Each column as wide as its widest cell. Where that is more than the terminal has, the widest
    /// column takes what is left, so that only rows with long names do without lining up.
    fn widths(&self, limit: usize) -> Vec<usize> {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..count).map(width).collect();
        let total = self.indent + widths.iter().map(|width| width + GAP).sum::<usize>();
        let excess = total.saturating_sub(GAP).saturating_sub(limit);
        // Nothing is lined up behind the last one.
        if let Some((_, padded)) = widths.split_last_mut()
            && let Some(widest) = padded.iter_mut().max()
            && *widest > WIDTH_MIN
        {
            *widest = widest.saturating_sub(excess).max(WIDTH_MIN);
        }
        widths
    }

    fn fits(&self, row: &[Cell], widths: &[usize], limit: usize) -> bool {
        let Some((last, padded)) = row.split_last() else { return true };
        let start = self.indent + widths[..padded.len()].iter().map(|width| width + GAP).sum::<usize>();
        start + last.width() <= limit && padded.iter().zip(widths).all(|(cell, width)| cell.width() <= *width)
    }

    /// Writes a row on as many lines as it needs, those after the first set in.
    fn flow(&self, row: &[Cell], limit: usize, styles: Styles, lines: &mut Vec<String>) {
        let (mut line, mut used) = (" ".repeat(self.indent), self.indent);
        let mut is_begun = false;
        for cell in row.iter().filter(|cell| !cell.text.is_empty()) {
            if is_begun && used + GAP + cell.width() > limit {
                lines.push(std::mem::replace(&mut line, " ".repeat(self.indent + SET_IN)));
                used = self.indent + SET_IN;
            } else if is_begun {
                line.push_str(&" ".repeat(GAP));
                used += GAP;
            }
            line.push_str(&styles.paint(cell.style, &cell.text).to_string());
            used += cell.width();
            is_begun = true;
        }
        lines.push(line);
    }

    fn line(&self, row: &[Cell], widths: &[usize], styles: Styles) -> String {
        let mut line = " ".repeat(self.indent);
        for (column, cell) in row.iter().enumerate() {
            let gap = widths[column] - cell.width();
            let is_last = column + 1 == row.len();
            if cell.right {
                line.push_str(&" ".repeat(gap));
            }
            if !cell.text.is_empty() {
                line.push_str(&styles.paint(cell.style, &cell.text).to_string());
            }
            if !cell.right && !is_last {
                line.push_str(&" ".repeat(gap));
            }
            if !is_last {
                line.push_str(&" ".repeat(GAP));
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_line_up_and_lines_end_where_the_text_does() {
        let mut columns = Columns::indented(2);
        columns.row(["new".into(), Cell::right("6 kB"), "a.psd".into()]);
        columns.row(["changed".into(), Cell::right("12.0 MB"), "".into()]);
        let lines = columns.lines(Styles::new(false), usize::MAX);
        assert_eq!(lines, ["  new         6 kB  a.psd", "  changed  12.0 MB"]);
    }

    #[test]
    fn wide_letters_take_two_places() {
        let mut columns = Columns::default();
        columns.row(["港の灯.psd".into(), "6 kB".into()]);
        columns.row(["poster.psd".into(), "7 kB".into()]);
        assert_eq!(columns.lines(Styles::new(false), 80), ["港の灯.psd  6 kB", "poster.psd  7 kB"]);
    }

    #[test]
    fn in_a_narrow_terminal_only_rows_that_are_too_long_stop_lining_up() {
        let mut columns = Columns::indented(2);
        columns.row(["brief.md".into(), Cell::right("1.91 kB"), "was 1.60 kB".into()]);
        columns.row(["photo/harbour-dusk.jpg".into(), Cell::right("98 kB"), "was 98.4 kB".into()]);
        let lines = columns.lines(Styles::new(false), 40);
        let expected = [
            "  brief.md          1.91 kB  was 1.60 kB",
            "  photo/harbour-dusk.jpg  98 kB",
            "      was 98.4 kB",
        ];
        assert_eq!(lines, expected);
        assert!(lines.iter().all(|line| line.len() <= 40));
        let one = columns.lines(Styles::new(false), 20);
        assert_eq!(one[0..2], ["  brief.md  1.91 kB", "      was 1.60 kB"]);
    }
}
