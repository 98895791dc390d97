//! Lists, as kubectl prints them.

use serde::Serialize;

use super::args::Output;

/// Columns under their headings, as wide as they need to be. Cells are text from outside, already made printable.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |cells: [&str; N]| {
        let padded: Vec<_> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("   ").trim_end().to_owned()
    };
    let body = rows.iter().map(|row| line(std::array::from_fn(|column| row[column].as_str())));
    [line(headings)].into_iter().chain(body).collect::<Vec<_>>().join("\n")
}

/// A list that cannot be printed for programs.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormatError {
    #[error("the list cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("the list cannot be written as YAML")]
    Yaml(#[from] serde_yaml::Error),
}

/// The list in a format for programs; nothing where it is for people.
pub(super) fn structured<T: Serialize>(list: &[T], output: Output) -> Result<Option<String>, FormatError> {
    Ok(match output {
        Output::Table => None,
        Output::Json => Some(serde_json::to_string_pretty(list)?),
        Output::Yaml => Some(serde_yaml::to_string(list)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_where_they_end() {
        let rows = [["Müller".to_owned(), "x".to_owned()], ["A".to_owned(), String::new()]];
        assert_eq!(table(["NAME", "B"], &rows), "NAME     B\nMüller   x\nA");
    }
}
