//! Lists, as kubectl prints them.

use serde::Serialize;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::args::Output;
use super::terminal::{Unwritable, width};

/// Narrowest that a column is made for a terminal's sake.
const COLUMN_MIN: usize = 12;

/// Columns under their headings, as wide as they need to be, and on a terminal no wider than that is. Cells are text from
/// outside, already made printable.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    within(headings, rows, width())
}

fn within<const N: usize>(headings: [&str; N], rows: &[[String; N]], room: Option<usize>) -> String {
    let needed = |column: usize| {
        let cells = rows.iter().map(|row| row[column].width());
        cells.chain([headings[column].width()]).max().unwrap_or_default()
    };
    let mut widths: [usize; N] = std::array::from_fn(needed);
    while let Some(room) = room
        && widths.iter().sum::<usize>() + 3 * N.saturating_sub(1) > room
    {
        let widest = widths.iter_mut().max();
        match widest.filter(|width| **width > COLUMN_MIN) {
            Some(width) => *width -= 1,
            None => break,
        }
    }
    let line = |cells: [&str; N]| {
        let padded: Vec<_> = cells.iter().zip(&widths).map(|(cell, width)| fitted(cell, *width)).collect();
        padded.join("   ").trim_end().to_owned()
    };
    let body = rows.iter().map(|row| line(std::array::from_fn(|column| row[column].as_str())));
    [line(headings)].into_iter().chain(body).collect::<Vec<_>>().join("\n")
}

/// A cell of exactly this width.
fn fitted(cell: &str, width: usize) -> String {
    let needed = cell.width();
    if needed <= width {
        return format!("{cell}{}", " ".repeat(width - needed));
    }
    let mut kept = String::new();
    let mut used = 1;
    for letter in cell.chars() {
        let more = letter.width().unwrap_or_default();
        if used + more > width {
            break;
        }
        used += more;
        kept.push(letter);
    }
    format!("{kept}…{}", " ".repeat(width - used))
}

/// A list that cannot be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormatError {
    #[error("the list cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("the list cannot be written as YAML")]
    Yaml(#[from] serde_yaml::Error),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

/// The same in a format for programs; nothing where it is for people.
pub(super) fn structured<T: Serialize + ?Sized>(list: &T, output: Output) -> Result<Option<String>, FormatError> {
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
        assert_eq!(within(["NAME", "B"], &rows, None), "NAME     B\nMüller   x\nA");
    }

    #[test]
    fn on_a_terminal_the_widest_columns_give_way() {
        let rows = [["日本語日本語日本語日本語".to_owned(), "a message that is quite long".to_owned(), "x".to_owned()]];
        let found = within(["NAME", "MESSAGE", "B"], &rows, Some(40));
        assert_eq!(found.lines().last().unwrap(), "日本語日本語日本…   a message that …   x");
        assert!(found.lines().all(|line| line.width() <= 40), "{found}");
        // Narrower than that no terminal is worth it.
        assert!(within(["NAME", "MESSAGE", "B"], &rows, Some(5)).contains("日本語日本…"));
    }
}
