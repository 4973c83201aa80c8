//! Names and contents of secrets, and of version control directories. They are packed only if they are included by
//! path.

/// Directories of version control systems. They hold history and settings, sometimes with credentials.
const REPOSITORIES: [&str; 4] = [".git", ".hg", ".svn", ".jj"];

/// The names that `ssh-keygen` gives to private keys.
const SSH_KEYS: [&str; 6] = ["id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"];

/// Suffixes of files that hold private keys.
const KEY_ENDINGS: [&str; 7] = [".pem", ".key", ".p12", ".pfx", ".ppk", ".jks", ".keystore"];

/// True if a name is that of a secret. Upper and lower case are the same.
pub(super) fn named(name: &str, is_dir: bool) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.as_str();
    let environment = name == ".env" || name.starts_with(".env.");
    let key = SSH_KEYS.contains(&name) || KEY_ENDINGS.iter().any(|ending| name.ends_with(ending));
    environment || REPOSITORIES.contains(&name) || (key && !is_dir)
}

/// True if the content begins like a private key: `-----BEGIN … PRIVATE KEY-----` (RFC 7468, OpenSSH, OpenPGP).
pub(super) fn is_private_key(content: &[u8]) -> bool {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content).trim_ascii_start();
    let Some(rest) = content.strip_prefix(b"-----BEGIN ") else {
        return false;
    };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or(rest).trim_ascii_end();
    let Some(label) = line.strip_suffix(b"-----") else {
        return false;
    };
    label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_names_are_found_in_any_case() {
        for name in [
            ".env",
            ".ENV",
            ".env.local",
            ".env.production.local",
            "id_rsa",
            "id_ed25519",
            "id_ecdsa",
            "ID_RSA",
            "tls.key",
            "tls.KEY",
            "a.p12",
            "a.pfx",
            "ca.pem",
            "putty.ppk",
            "trust.jks",
            "a.keystore",
            ".git",
            ".hg",
            ".svn",
            ".jj",
        ] {
            assert!(named(name, false), "{name}");
        }
        for name in ["env", ".environment", ".envrc", "id_rsa.pub", "key", "keys.yaml", "pem", ".github", ".gitignore"]
        {
            assert!(!named(name, false), "{name}");
        }
        assert!(named(".env", true) && named(".git", true) && !named("certs.pem", true));
    }

    #[test]
    fn private_key_content_is_found_whatever_its_kind() {
        for label in [
            "PRIVATE KEY",
            "RSA PRIVATE KEY",
            "EC PRIVATE KEY",
            "ENCRYPTED PRIVATE KEY",
            "OPENSSH PRIVATE KEY",
            "PGP PRIVATE KEY BLOCK",
        ] {
            for (before, end) in [("", "\n"), ("\n  ", "\r\n"), ("\u{feff}", "")] {
                assert!(is_private_key(format!("{before}-----BEGIN {label}-----{end}").as_bytes()), "{label}");
            }
        }
        for other in [
            "",
            "-----BEGIN ",
            "-----BEGIN CERTIFICATE-----\n",
            "-----BEGIN PUBLIC KEY-----\n",
            "kind: Secret\n",
            "# -----BEGIN PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY\n",
        ] {
            assert!(!is_private_key(other.as_bytes()), "{other}");
        }
    }
}
