//! What the demo prints: headings, commands, their output, and what it means.

use std::io::{self, IsTerminal, Stdout, Write};

/// Longest line of output, in characters: as wide as `kubectl get csp`. Longer ones go on in the next line.
const WIDTH: usize = 132;

pub(crate) struct Screen {
    out: Stdout,
    is_coloured: bool,
    steps: u32,
}

#[derive(Clone, Copy)]
enum Style {
    Heading,
    Command,
    Output,
    Meaning,
}

impl Style {
    /// As terminals want it (Select Graphic Rendition).
    fn code(self) -> &'static str {
        match self {
            Self::Heading => "1;36",
            Self::Command => "1",
            Self::Output => "2",
            Self::Meaning => "32",
        }
    }
}

impl Screen {
    pub(crate) fn new() -> Self {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let out = io::stdout();
        Self { is_coloured: out.is_terminal() && !is_refused, out, steps: 0 }
    }

    /// A line of plain text.
    pub(crate) fn say(&self, text: &str) -> io::Result<()> {
        self.print(text)
    }

    /// Begins the next step.
    pub(crate) fn step(&mut self, title: &str) -> io::Result<()> {
        self.steps += 1;
        let title = format!("{}. {title}", self.steps);
        self.print(&format!("\n{}", self.styled(Style::Heading, &title)))
    }

    /// A command, before it runs: in one line, so that it can be copied.
    pub(crate) fn command(&self, command: &str) -> io::Result<()> {
        self.print(&format!("  {}", self.styled(Style::Command, &format!("$ {command}"))))
    }

    /// A remark between commands.
    pub(crate) fn remark(&self, sentence: &str) -> io::Result<()> {
        self.print(&format!("  # {sentence}"))
    }

    /// What a command printed.
    pub(crate) fn output(&self, output: &str) -> io::Result<()> {
        output.trim_end().lines().try_for_each(|line| self.block(Style::Output, "  ", line))
    }

    /// What it means. Only said of what has been checked.
    pub(crate) fn meaning(&self, sentence: &str) -> io::Result<()> {
        self.block(Style::Meaning, "✓ ", sentence)
    }

    fn block(&self, style: Style, mark: &str, text: &str) -> io::Result<()> {
        let lines = wrapped(text);
        lines.iter().enumerate().try_for_each(|(index, line)| {
            let mark = if index == 0 { mark } else { "      " };
            self.print(&format!("  {}", self.styled(style, &format!("{mark}{line}"))))
        })
    }

    fn print(&self, line: &str) -> io::Result<()> {
        let mut out = self.out.lock();
        writeln!(out, "{}", line.trim_end())?;
        out.flush()
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.is_coloured { format!("\x1b[{}m{text}\x1b[0m", style.code()) } else { text.to_owned() }
    }
}

/// Breaks a line between words; the spaces within a table stay as they are.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let last = lines.len() - 1;
        let length = lines[last].chars().count();
        if length > 0 && length + word.trim_end().chars().count() > WIDTH && !word.trim().is_empty() {
            lines.push(word.to_owned());
        } else {
            lines[last].push_str(word);
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}
