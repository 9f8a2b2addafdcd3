//! The example as it stands: real broker, real processes, each of them killed once.

use std::process::Command;

#[test]
fn each_bill_is_there_once_although_each_version_was_killed() {
    let run = Command::new(env!("CARGO_BIN_EXE_rust-stream")).arg("demo").output().expect("it runs");
    let told = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{told}");
    assert!(told.contains("\"lost\":0") && told.contains("\"duplicated\":0"), "{told}");
}
