//! The password file of libpq. Each line is `host:port:database:user:password`; `*` matches any value, and `\` escapes
//! a `:` or `\`.

use std::path::Path;

/// The password of the first line that matches host, port, database and user. None if the file does not exist, or if
/// its mode gives rights to group or others.
pub(super) fn find(file: &Path, wanted: [&str; 4]) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(file).ok()?.permissions().mode();
        if mode & 0o077 != 0 {
            return None;
        }
    }
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| matching(line, wanted))
}

fn matching(line: &str, wanted: [&str; 4]) -> Option<String> {
    let mut rest = line;
    for wanted in wanted {
        let (field, after) = field(rest);
        // libpq writes `localhost` for a socket's directory.
        let fits = field == "*" || field == wanted || (field == "localhost" && wanted.starts_with('/'));
        rest = after.filter(|_| fits)?;
    }
    Some(field(rest).0)
}

/// The text up to the next `:`, and the text after it.
fn field(line: &str) -> (String, Option<&str>) {
    let mut text = String::new();
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ':' => return (text, line.get(at + 1..)),
            '\\' => text.extend(chars.next().map(|(_, c)| c)),
            c => text.push(c),
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let line = |line: &str| matching(line, ["db.example", "5432", "ledger", "ci"]);
        assert_eq!(line("db.example:5432:ledger:ci:secret").as_deref(), Some("secret"));
        assert_eq!(line(r"*:*:*:ci:a\:b\\c").as_deref(), Some(r"a:b\c"));
        assert_eq!(line("db.example:5433:ledger:ci:secret"), None);
        assert_eq!(line("db.example:5432:ledger"), None);
        assert_eq!(line(""), None);
        assert_eq!(matching("localhost:*:*:*:x", ["/run/postgresql", "1", "2", "3"]).as_deref(), Some("x"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pgpass");
        std::fs::write(&file, "# mine\n*:*:*:*:secret\n").unwrap();
        for (mode, found) in [(0o600, Some("secret")), (0o640, None)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(find(&file, ["h", "1", "d", "u"]).as_deref(), found, "{mode:o}");
        }
        assert_eq!(find(&dir.path().join("none"), ["h", "1", "d", "u"]), None);
    }
}
