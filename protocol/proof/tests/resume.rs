//! A run of many seeds is stopped in the middle, as hard as can be, and started again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const SEEDS: &str = "2048";

fn start(progress: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_prove"))
        .args(["sim", "--seeds", SEEDS, "--threads", "1", "--output", "json", "--resume"])
        .arg(progress)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("prove starts")
}

/// Its last line, and what it said besides.
fn end(child: Child) -> (Value, String) {
    let output = child.wait_with_output().expect("prove ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = told.lines().last().expect("a last line");
    (serde_json::from_str(last).expect("a result"), said)
}

fn next(progress: &Path) -> Option<u64> {
    let saved: Value = serde_json::from_slice(&std::fs::read(progress).ok()?).ok()?;
    saved["next"].as_u64()
}

#[test]
fn a_run_that_is_killed_goes_on_where_it_was_and_ends_with_the_same_totals() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("resume-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (whole, cut) = (folder.join("whole.json"), folder.join("cut.json"));
    let (expected, _) = end(start(&whole));

    let mut child = start(&cut);
    let deadline = Instant::now() + Duration::from_secs(120);
    while next(&cut).is_none() {
        assert!(Instant::now() < deadline, "no progress is kept in {}", cut.display());
        assert!(child.try_wait().expect("its status").is_none(), "it has ended before it kept any progress");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it is killed");
    child.wait().expect("it is gone");
    let reached = next(&cut).expect("what was kept stays readable");
    assert!(reached < 2_048, "it was done before it was killed");

    let (found, said) = end(start(&cut));
    assert!(said.contains(&format!("goes on at seed {reached}")), "{said}");
    for part in ["seeds", "decisions", "tally", "broken"] {
        assert_eq!(found[part], expected[part], "{part}");
    }
    std::fs::remove_dir_all(folder).expect("the folder goes");
}
