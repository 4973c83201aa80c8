//! Asks the person at the terminal before a move.

use std::io::{BufRead, Write};

use tagwarden::{Error, ErrorKind, Result};

/// Shows `text` on standard error and asks if it should be done. Only `y` and `yes` agree; the end of the input does not.
pub(crate) fn agreed(text: &str) -> Result<bool> {
    let failed = |e: std::io::Error| Error::new(ErrorKind::ConfigInvalid, format!("the terminal cannot be read: {e}"));
    let mut terminal = std::io::stderr().lock();
    write!(terminal, "{text}\nroll back? [y/N] ").and_then(|()| terminal.flush()).map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
