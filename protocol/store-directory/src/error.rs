//! From the operating system's errors to ours.

use std::io;

use rustix::io::Errno;
use tidegate_store::Error;

use crate::folder::Folder;

/// What was tried when the error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// As [`map`], but tells a root that is away from a rollout's folder that somebody removed during the call.
pub(crate) fn explain(folder: &Folder, access: Access, cause: io::Error) -> Error {
    if cause.kind() == io::ErrorKind::NotFound && folder.check_root().is_ok() {
        let reason = "files were removed during the call".to_owned();
        return Error::Unreachable { store: folder.url(), reason, cause: Some(cause.into()) };
    }
    map(folder, access, cause)
}

fn map(folder: &Folder, access: Access, cause: io::Error) -> Error {
    let store = folder.url();
    let not_a_store = |reason: &str, way_out: &str, cause: io::Error| Error::NotAStore {
        store: folder.url(),
        reason: reason.to_owned(),
        way_out: way_out.to_owned(),
        cause: Some(cause.into()),
    };
    match Errno::from_io_error(&cause) {
        Some(Errno::NOENT) => {
            let way_out = format!("create it with mkdir -p {}, or mount it", folder.root().display());
            Error::Missing { store: folder.root_url(), way_out, cause: Some(cause.into()) }
        }
        Some(Errno::ROFS) => {
            let way_out = "mount it writable, or name another store".to_owned();
            Error::ReadOnly { store, way_out, cause: Some(cause.into()) }
        }
        Some(Errno::ACCESS | Errno::PERM) => match access {
            Access::Read => {
                let way_out = "let this process's user read and enter it".to_owned();
                Error::Denied { store, action: "be read".to_owned(), way_out, cause: Some(cause.into()) }
            }
            Access::Write => {
                let way_out = "let this process's user write in it".to_owned();
                Error::ReadOnly { store, way_out, cause: Some(cause.into()) }
            }
        },
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Error::Full { store, cause: Some(cause.into()) },
        Some(Errno::NOTDIR | Errno::ISDIR | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO) => {
            let way_out = "move away what is there, or name another directory";
            not_a_store("something else is where a file or folder should be", way_out, cause)
        }
        Some(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {
            not_a_store("its file system has no locks", "use one with flock", cause)
        }
        _ => Error::Unreachable { store, reason: "input/output error".to_owned(), cause: Some(cause.into()) },
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_error_has_a_code_a_place_and_its_cause() {
        let folder = Folder::new(Path::new("/data/tidegate"), "orders").expect("a good name");
        let cases = [
            (Errno::NOENT, "StoreMissing", "StoreMissing"),
            (Errno::ROFS, "StoreReadOnly", "StoreReadOnly"),
            (Errno::ACCESS, "StoreDenied", "StoreReadOnly"),
            (Errno::PERM, "StoreDenied", "StoreReadOnly"),
            (Errno::NOSPC, "StoreFull", "StoreFull"),
            (Errno::DQUOT, "StoreFull", "StoreFull"),
            (Errno::NOTDIR, "StoreNotAStore", "StoreNotAStore"),
            (Errno::ISDIR, "StoreNotAStore", "StoreNotAStore"),
            (Errno::LOOP, "StoreNotAStore", "StoreNotAStore"),
            (Errno::NOLCK, "StoreNotAStore", "StoreNotAStore"),
            (Errno::IO, "StoreUnreachable", "StoreUnreachable"),
            (Errno::STALE, "StoreUnreachable", "StoreUnreachable"),
            (Errno::TIMEDOUT, "StoreUnreachable", "StoreUnreachable"),
            (Errno::MFILE, "StoreUnreachable", "StoreUnreachable"),
        ];
        for (errno, reading, writing) in cases {
            for (access, code) in [(Access::Read, reading), (Access::Write, writing)] {
                let error = map(&folder, access, errno.into());
                assert_eq!(error.code(), code, "{errno:?} {access:?}");
                let text = error.to_string();
                assert!(text.starts_with(&format!("{code}: directory:///data/tidegate")), "{text}");
                assert!(error.source().is_some(), "{text} lost {errno:?}");
            }
        }
    }

    #[test]
    fn a_missing_root_names_the_way_out() {
        let folder = Folder::new(Path::new("/no/such/root"), "orders").expect("a good name");
        let error = explain(&folder, Access::Write, Errno::NOENT.into());
        assert_eq!(
            error.to_string(),
            "StoreMissing: directory:///no/such/root does not exist: create it with mkdir -p /no/such/root, or mount it"
        );
    }
}
