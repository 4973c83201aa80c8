//! Tables, and lists of fields.

use super::{Style, shown};

/// Rows of cells under a header. Columns without any value are left out.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Table {
        Table { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row. Cells are escaped here, and coloured by `lines`.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| shown(&cell)).collect());
    }

    pub(crate) fn lines(&self, style: Style) -> Vec<String> {
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.max().filter(|widest| *widest > 0)
        };
        let columns: Vec<(usize, usize)> = self
            .head
            .iter()
            .enumerate()
            .filter_map(|(at, head)| Some((at, width(at)?.max(head.chars().count()))))
            .collect();
        let line = |cells: &dyn Fn(usize) -> String| {
            let padded: Vec<String> =
                columns.iter().map(|(at, width)| format!("{:width$}", cells(*at), width = *width)).collect();
            padded.join("  ").trim_end().to_owned()
        };
        let head = line(&|at| self.head.get(at).copied().unwrap_or_default().to_owned());
        let rows = self.rows.iter().map(|row| line(&|at| row.get(at).cloned().unwrap_or_default()));
        std::iter::once(style.dim(&head)).chain(rows).collect()
    }
}

/// A title with fields under it.
#[derive(Debug)]
pub(crate) struct Fields {
    lines: Vec<String>,
}

impl Fields {
    /// The fields under `title`, which is not escaped.
    pub(crate) fn under(title: String) -> Fields {
        Fields { lines: vec![title] }
    }

    /// Adds a field. Its value is escaped.
    #[must_use]
    pub(crate) fn field(mut self, name: &str, value: impl ToString) -> Fields {
        self.lines.push(format!("  {name:<9} {}", shown(&value.to_string())));
        self
    }

    /// Adds a field if there is a value.
    #[must_use]
    pub(crate) fn maybe(self, name: &str, value: Option<impl ToString>) -> Fields {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Adds a line without escaping it.
    #[must_use]
    pub(crate) fn line(mut self, line: String) -> Fields {
        self.lines.push(line);
        self
    }

    pub(crate) fn text(self) -> String {
        self.lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_empty_ones_are_left_out() {
        let mut table = Table::new(&["SEQ", "EMPTY", "BY"]);
        table.row(["1".to_owned(), String::new(), "adá\u{1b}".to_owned()]);
        table.row(["1000".to_owned(), String::new(), "bob".to_owned()]);
        assert_eq!(table.lines(Style::Plain), ["SEQ   BY", "1     adá\\u{1b}", "1000  bob"]);
    }
}
