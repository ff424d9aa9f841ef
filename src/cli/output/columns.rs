//! Columns that line up, for lists of a bounded length.

use crate::cli::output::{Page, Styles};
use anstyle::Style;
use std::io;

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
        self.text.chars().count()
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
        for line in self.lines(page.styles) {
            page.line(line)?;
        }
        Ok(())
    }

    fn lines(&self, styles: Styles) -> Vec<String> {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..count).map(width).collect();
        self.rows.iter().map(|row| self.line(row, &widths, styles)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize], styles: Styles) -> String {
        let mut line = " ".repeat(self.indent);
        for (column, cell) in row.iter().enumerate() {
            let gap = widths[column] - cell.width();
            let is_last = column + 1 == row.len();
            if cell.right {
                line.push_str(&" ".repeat(gap));
            }
            line.push_str(&styles.paint(cell.style, &cell.text).to_string());
            if !cell.right && !is_last {
                line.push_str(&" ".repeat(gap));
            }
            if !is_last {
                line.push_str("  ");
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
        assert_eq!(columns.lines(Styles::new(false)), ["  new         6 kB  a.psd", "  changed  12.0 MB"]);
    }
}
