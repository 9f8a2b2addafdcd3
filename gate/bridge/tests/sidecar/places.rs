//! Where a sidecar may be: nowhere that is somebody else's, or a living one's.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

use tidegate_bridge::sidecar::Server;

use crate::client::Sidecar;

/// Binds and gives it up at once, as a sidecar that dies.
fn tried(path: &Path) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Server::bind(path) }).map(drop).map_err(|error| error.to_string())
}

#[test]
fn the_socket_is_this_user_s_only_and_gone_after_the_end() {
    let mut sidecar = Sidecar::start();
    let metadata = fs::symlink_metadata(sidecar.path()).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let lock = fs::metadata(sidecar.path().with_extension("lock")).unwrap();
    assert_eq!(lock.permissions().mode() & 0o777, 0o600);
    sidecar.drain();
    assert!(!sidecar.path().exists());
}

#[test]
fn a_living_one_is_left_alone() {
    let sidecar = Sidecar::start();
    let refused = tried(&sidecar.path()).unwrap_err();
    assert!(
        refused.starts_with(&format!("SidecarRunning: a living sidecar has {}", sidecar.path().display())),
        "{refused}"
    );
    sidecar.restored();
}

#[test]
fn the_place_of_a_dead_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    tried(&path).unwrap();
    assert!(path.exists(), "it left its socket behind");
    drop(UnixListener::bind(folder.path().join("socket.new")).unwrap()); // and one died while it began
    tried(&path).unwrap();
}

/// Whatever else listens there has no lock of ours.
#[test]
fn the_place_of_another_program_that_lives_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _other = UnixListener::bind(&path).unwrap();
    assert!(tried(&path).unwrap_err().starts_with("SidecarRunning: "));
}

#[test]
fn what_is_no_socket_is_not_touched_and_what_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "kept").unwrap();
    let long = folder.path().join("x".repeat(120));
    for (path, why) in [
        (file.as_path(), "it is there, and is no socket"),
        (Path::new("/no/such/folder/socket"), "No such file or directory"),
        (long.as_path(), "SUN_LEN"),
    ] {
        let refused = tried(path).unwrap_err();
        assert!(
            refused.starts_with(&format!("SidecarSocket: {} cannot be served: ", path.display())),
            "{refused}"
        );
        assert!(refused.contains(why), "{refused}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
}
