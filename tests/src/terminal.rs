//! A pseudo-terminal, to test commands that a person types.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::thread;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Runs a command with a terminal as its standard input, output and error, at which a person has typed `typed`. Returns
/// the exit status and the text on the terminal, which has `typed` in it, with `\n` at the end of a line.
pub fn run(mut command: Command, typed: &str) -> io::Result<(ExitStatus, String)> {
    let (mut person, terminal) = open()?;
    person.write_all(typed.as_bytes())?;
    command.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?).stderr(terminal);
    let mut child = command.spawn()?;
    // `command` has the last handles of the terminal in this process. Reading ends when they and those of the child are
    // closed.
    drop(command);
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        // On Linux, EIO means that no process has the terminal open.
        match person.read_to_end(&mut shown) {
            Err(e) if e.raw_os_error() != Some(rustix::io::Errno::IO.raw_os_error()) => Err(e),
            _ => Ok(shown),
        }
    });
    let ended = child.wait()?;
    let shown = reader.join().map_err(|_| io::Error::other("the reader of the terminal panicked"))??;
    Ok((ended, String::from_utf8_lossy(&shown).replace("\r\n", "\n")))
}

/// The two ends of a new terminal: for the person and for the program.
fn open() -> io::Result<(File, File)> {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&person)?;
    unlockpt(&person)?;
    let name = ptsname(&person, Vec::new())?;
    let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let noctty = i32::try_from(OFlags::NOCTTY.bits()).map_err(io::Error::other)?;
    let terminal = OpenOptions::new().read(true).write(true).custom_flags(noctty).open(path)?;
    Ok((File::from(person), terminal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_in_a_terminal_sees_one_on_all_three_sides() {
        let mut command = Command::new("sh");
        command.args(["-c", "test -t 0 && test -t 1 && test -t 2 && echo seen; exit 7"]);
        let (ended, shown) = run(command, "").unwrap();
        assert_eq!((ended.code(), shown.as_str()), (Some(7), "seen\n"));
    }
}
