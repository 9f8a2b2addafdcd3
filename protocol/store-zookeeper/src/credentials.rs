//! The user and password of digest authentication. They are read anew for each connection, so that they can be exchanged,
//! and are never part of a message.

use std::fmt;
use std::path::PathBuf;

/// Where `user:password` is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Digest {
    /// In the first line of a file.
    File(PathBuf),
    /// In an environment variable of that name.
    Variable(String),
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "auth-file {}", path.display()),
            Self::Variable(name) => write!(f, "auth-env {name}"),
        }
    }
}

/// `user:password`; it cannot be printed.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// For the server.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Digest {
    /// The text of an error says what is wrong, never what is there.
    pub(crate) fn read(&self) -> Result<Secret, String> {
        let text = match self {
            Self::File(path) => {
                std::fs::read_to_string(path).map_err(|error| format!("{self} cannot be read: {error}"))?
            }
            Self::Variable(name) => std::env::var(name).map_err(|_| format!("{self} is not set"))?,
        };
        let line = text.lines().next().unwrap_or_default();
        if line.split_once(':').is_some_and(|(user, _)| !user.is_empty()) {
            Ok(Secret(line.to_owned()))
        } else {
            Err(format!("{self} does not hold user:password"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_file_is_taken_as_it_stands() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let digest = Digest::File(folder.path().join("auth"));
        let told = digest.read().expect_err("no file");
        assert!(told.contains("auth-file") && told.contains("cannot be read"), "{told}");
        for (content, secret) in [("me:a:b ", "me:a:b "), ("me:\n", "me:"), ("me:x\r\nmore", "me:x")] {
            std::fs::write(folder.path().join("auth"), content).expect("written");
            let read = digest.read().expect(content);
            assert_eq!(read.as_bytes(), secret.as_bytes());
            assert_eq!(format!("{read:?}"), "Secret");
        }
        for content in ["", "kipper", ":kipper", "\nme:kipper"] {
            std::fs::write(folder.path().join("auth"), content).expect("written");
            let told = digest.read().expect_err(content);
            assert!(told.ends_with("does not hold user:password") && !told.contains("kipper"), "{told}");
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let told = Digest::Variable("TIDEGATE_NO_SUCH_VARIABLE".to_owned()).read().expect_err("not set");
        assert_eq!(told, "auth-env TIDEGATE_NO_SUCH_VARIABLE is not set");
    }
}
