//! The configuration file: a first one, and the meaning of one.

use std::fs::OpenOptions;
use std::io::Write;

use tagwarden::config::{Config, Draft};
use tagwarden::ledger::LedgerUrl;
use tagwarden::{Error, ErrorKind, Result};

use crate::args::{Global, ValidateArgs};
use crate::connect::here;
use crate::render::{self, Answer, Style};

/// Writes a first file into the working directory. CONFIG_INVALID if there is one: it is never overwritten.
pub(super) fn init(global: &Global) -> Result<Answer> {
    let dir = here()?;
    let file = dir.join(Config::FILE);
    let ledger = global.ledger.as_deref().map(str::parse::<LedgerUrl>).transpose()?;
    let mut draft = Draft::of(&dir, ledger.as_ref());
    let above = dir.ancestors().skip(1).map(|dir| dir.join(Config::FILE)).find(|file| file.exists());
    draft.notes.extend(above.map(|above| format!("{}: not used any more from here", above.display())));
    // `create_new` also refuses a file that another program makes at the same time.
    let written = OpenOptions::new().write(true).create_new(true).open(&file);
    let written = written.and_then(|mut file| file.write_all(draft.text.as_bytes()));
    match written {
        Ok(()) => render::drafted(&file, &draft),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("{} is there already, and is not overwritten", file.display());
            Err(Error::new(ErrorKind::ConfigInvalid, message))
        }
        Err(e) => Err(Error::new(ErrorKind::ConfigInvalid, format!("{}: {e}", file.display()))),
    }
}

/// The meaning of a file. CONFIG_INVALID if it is invalid, or if there is none.
pub(super) fn validate(args: &ValidateArgs, style: Style) -> Result<Answer> {
    let config = match &args.file {
        Some(file) => Config::read(file)?,
        None => Config::find(&here()?)?,
    };
    match &config.file {
        Some(file) => render::config(file, &config, style),
        None => {
            let message = "there is no tagwarden.toml here or above; `tagwarden init` writes one";
            Err(Error::new(ErrorKind::ConfigInvalid, message))
        }
    }
}
