//! The commands that the documents and `--help` print.

use std::path::{Path, PathBuf};

/// Commands that one shell types one after the other.
#[derive(Clone, Debug)]
pub struct Session {
    /// The file and line, or the command whose help it is.
    pub place: String,
    pub form: Form,
    /// The text around them that the reader sees: the block, the paragraph or the help.
    pub around: String,
    pub lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// To be typed: lines of a `console` block, a piece of inline code, an example of a help.
    Typed,
    /// The output of a program that ran it.
    Shown,
    /// A step of a pipeline.
    Step,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub text: String,
    /// The exit code that the document says, in a line `(exit code 3)`.
    pub exit: i32,
}

impl Line {
    fn new(text: impl Into<String>) -> Line {
        Line { text: text.into(), exit: 0 }
    }

    pub fn is_tagwarden(&self) -> bool {
        self.text.starts_with("tagwarden ")
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The Markdown files of a folder and of the folders below it, without what a build puts there.
pub fn markdown(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{folder}/{name}");
        if ["node_modules", "target"].contains(&name.as_str()) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            found.extend(markdown(&path));
        } else if path.ends_with(".md") {
            found.push(path);
        }
    }
    found
}

/// The blocks of a file in one language, each with its first line's number.
pub fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    pieces(text)
        .into_iter()
        .filter_map(|(at, piece)| match piece {
            Piece::Block(name, text) if name == language => Some((at, text)),
            _ => None,
        })
        .collect()
}

enum Piece {
    Block(String, String),
    Paragraph(String),
}

/// The pieces of a Markdown file, each with the number of its first line.
fn pieces(text: &str) -> Vec<(usize, Piece)> {
    let (mut found, mut paragraph) = (Vec::new(), String::new());
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    while let Some((at, line)) = lines.next() {
        let fence = line.trim_start().strip_prefix("```");
        if line.trim().is_empty() || fence.is_some() {
            let began = at - paragraph.lines().count();
            found.push((began, Piece::Paragraph(std::mem::take(&mut paragraph))));
        } else {
            paragraph.extend([line, "\n"]);
        }
        if let Some(language) = fence {
            let inside: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| !line.trim_start().starts_with("```")).collect();
            found.push((at + 1, Piece::Block(language.to_owned(), inside.join("\n"))));
        }
    }
    found.push((text.lines().count(), Piece::Paragraph(paragraph)));
    found
}

/// Every command of a Markdown file.
pub fn of_markdown(file: &str) -> Vec<Session> {
    let mut found = Vec::new();
    for (at, piece) in pieces(&read(file)) {
        let place = format!("{file}:{at}");
        let mut add = |form, around: &str, lines: Vec<Line>| {
            if !lines.is_empty() {
                found.push(Session { place: place.clone(), form, around: around.to_owned(), lines });
            }
        };
        match piece {
            Piece::Paragraph(text) => spans(&text).into_iter().for_each(|span| add(Form::Typed, &text, vec![span])),
            Piece::Block(language, text) => match language.as_str() {
                "console" => add(Form::Typed, &text, console(&text)),
                "text" => console(&text).into_iter().for_each(|line| add(Form::Shown, &text, vec![line])),
                "yaml" => add(Form::Step, &text, steps(&text)),
                _ => assert!(
                    !text.lines().any(|line| line.trim_start().trim_start_matches("$ ").starts_with("tagwarden ")),
                    "{place}: write commands into a block `console`"
                ),
            },
        }
    }
    found
}

/// Inline code of a paragraph, in which it may be broken over two lines.
fn inline(paragraph: &str) -> impl Iterator<Item = String> {
    paragraph.split('`').skip(1).step_by(2).map(|code| code.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Inline code that is a command.
fn spans(paragraph: &str) -> Vec<Line> {
    inline(paragraph).filter(|code| code.starts_with("tagwarden ")).map(Line::new).collect()
}

/// All inline code of a Markdown file.
pub fn code(text: &str) -> Vec<String> {
    let paragraphs = pieces(text).into_iter().filter_map(|(_, piece)| match piece {
        Piece::Paragraph(text) => Some(text),
        Piece::Block(..) => None,
    });
    paragraphs.flat_map(|text| inline(&text).collect::<Vec<_>>()).collect()
}

/// The lines after a prompt, with those that they go on in.
fn console(text: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    let mut goes_on = false;
    for line in text.lines().map(str::trim_start) {
        if let Some(typed) = line.strip_prefix("$ ") {
            found.push(Line::new(typed));
        } else if let (true, Some(last)) = (goes_on, found.last_mut()) {
            last.text.extend(["\n", line]);
        }
        goes_on = line.ends_with('\\');
        let exit = line.strip_prefix("(exit code ").and_then(|rest| rest.strip_suffix(')'));
        if let (Some(exit), Some(last)) = (exit, found.last_mut()) {
            last.exit = exit.parse().unwrap();
        }
    }
    found
}

/// The commands of `run:` and `script:` with the TAGWARDEN_ variables that the step sets. A line that ends in a backslash
/// goes on, and so does an item that stands on lines of its own, further in.
fn steps(text: &str) -> Vec<Line> {
    let (mut variables, mut commands) = (Vec::new(), Vec::<Line>::new());
    let mut inside = None;
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let item = line.trim_start().trim_start_matches("- ");
        let begins = item.trim_start_matches("run: ");
        if begins.starts_with("tagwarden ") {
            inside = Some(depth);
            commands.push(Line::new(begins));
        } else if let (Some(_), Some(last)) = (inside.filter(|began| depth > *began), commands.last_mut()) {
            last.text = format!("{} {}", last.text.trim_end_matches('\\').trim_end(), line.trim());
        } else {
            inside = None;
            if let Some((name, value)) = item.split_once(": ").filter(|(name, _)| name.starts_with("TAGWARDEN_")) {
                variables.push(Line::new(format!("export {name}={value}")));
            }
        }
    }
    if commands.is_empty() { Vec::new() } else { variables.into_iter().chain(commands).collect() }
}

/// Every command of a help: lines that begin with one, and code.
pub fn of_help(command: &str, help: &str) -> Vec<Session> {
    let mut found = Vec::<Line>::new();
    let mut goes_on = false;
    for line in help.lines() {
        let text = line.trim_start();
        if text.starts_with("tagwarden ") && text.len() < line.len() {
            found.push(Line::new(text));
        } else if let (true, Some(last)) = (goes_on, found.last_mut()) {
            last.text.extend(["\n", text]);
        }
        goes_on = text.ends_with('\\');
    }
    found.extend(help.split("\n\n").flat_map(spans));
    let place = format!("tagwarden {command} --help");
    let session =
        |line| Session { place: place.clone(), form: Form::Typed, around: help.to_owned(), lines: vec![line] };
    found.into_iter().map(session).collect()
}
