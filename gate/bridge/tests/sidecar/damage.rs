//! What tidegate-flink would never send: each connection ends with an error of ours, and the others go on.

use std::io::Write as _;
use std::net::Shutdown;

use proptest::prelude::*;
use tidegate_bridge::sidecar::call::{NEXT, OPEN_AGENT, OPEN_SUBTASK};
use tidegate_bridge::sidecar::frame::{MAX, PROTOCOL};

use crate::client::{ADMIT, Client, FULL, RESTORE, STATUS, Sidecar, admit, body, config};

/// The text of the error that ends the connection.
fn refusal(client: &mut Client) -> String {
    let text = client.answer().unwrap_err();
    assert!(client.ended());
    text
}

#[test]
fn another_version_is_refused_with_both_named() {
    let sidecar = Sidecar::start();
    let mut client = sidecar.connect();
    let theirs = PROTOCOL + 1;
    client.send(format!(r#"{{"protocol":{theirs},"version":"9.8.7-2.3"}}"#).as_bytes());
    let text = refusal(&mut client);
    let own = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "SidecarVersion: the sidecar {own} speaks protocol {PROTOCOL}, tidegate-flink 9.8.7-2.3 speaks {theirs}; "
    );
    assert!(text.starts_with(&expected), "{text}");
}

/// A later one may say more about itself.
#[test]
fn a_hello_may_have_more_fields() {
    let sidecar = Sidecar::start();
    let mut client = sidecar.connect();
    client.send(format!(r#"{{"protocol":{PROTOCOL},"version":"0.1.0","more":[1]}}"#).as_bytes());
    client.frame().unwrap();
    client.ask(OPEN_SUBTASK, config().to_string().as_bytes()).unwrap();
}

#[test]
fn what_opens_nothing_is_refused() {
    let sidecar = Sidecar::start();
    let mut silent = sidecar.connect();
    silent.send(b"hello");
    assert!(refusal(&mut silent).starts_with("MessageUnreadable: the hello"));
    for (first, told) in [(vec![], "BadCall: nothing is opened"), (vec![STATUS], "BadCall: 20 opens nothing")]
    {
        let mut client = sidecar.greeted();
        client.send(&first);
        assert_eq!(refusal(&mut client), told);
    }
}

#[test]
fn calls_of_the_other_kind_are_refused() {
    let sidecar = Sidecar::start();
    let mut subtask = sidecar.restored();
    subtask.send(&[NEXT]);
    assert_eq!(refusal(&mut subtask), "BadCall: 30 is no call of a subtask");
    let mut agent = sidecar.agent();
    agent.send(&body(ADMIT, &admit(1, 1)));
    assert_eq!(refusal(&mut agent), "BadCall: 11 is no call of an agent");
}

#[test]
fn a_call_that_is_too_short_or_too_long_ends_the_connection() {
    let sidecar = Sidecar::start();
    let fields = admit(1, 1);
    for cut in 0..fields.len() {
        let mut subtask = sidecar.restored();
        subtask.send(&body(ADMIT, &fields[..cut]));
        assert_eq!(refusal(&mut subtask), "MessageUnreadable: the call cannot be read: it ends too early");
    }
    let mut subtask = sidecar.restored();
    subtask.send(&body(FULL, &[0; 3]));
    assert_eq!(refusal(&mut subtask), "MessageUnreadable: the call cannot be read: 3 bytes too many");
    let mut subtask = sidecar.subtask();
    subtask.send(&body(RESTORE, &u32::MAX.to_be_bytes()));
    assert_eq!(refusal(&mut subtask), "MessageUnreadable: the call cannot be read: it ends too early");
}

/// Nothing is set aside for it.
#[test]
fn a_frame_that_is_announced_too_long_is_refused() {
    let sidecar = Sidecar::start();
    for length in [MAX + 1, u32::MAX] {
        let mut subtask = sidecar.restored();
        subtask.0.write_all(&length.to_be_bytes()).unwrap();
        let text = refusal(&mut subtask);
        assert!(text.contains(&format!("{length} bytes are announced, and {MAX} are the most")), "{text}");
    }
}

#[test]
fn a_connection_that_ends_in_a_frame_is_told_so() {
    let sidecar = Sidecar::start();
    for part in [&[0, 0][..], &[0, 0, 0, 9], &[0, 0, 0, 9, STATUS]] {
        let mut subtask = sidecar.restored();
        subtask.0.write_all(part).unwrap();
        subtask.0.shutdown(Shutdown::Write).unwrap();
        assert!(refusal(&mut subtask).starts_with("MessageUnreadable: the frame"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_comes_is_answered_or_ends_the_connection(
        calls in prop::collection::vec((0_u8..40, prop::collection::vec(any::<u8>(), 0..40)), 1..8),
        kind in prop::sample::select(vec![OPEN_SUBTASK, OPEN_AGENT, 0]),
    ) {
        let mut sidecar = Sidecar::start();
        let mut client = match kind {
            OPEN_SUBTASK => sidecar.restored(),
            OPEN_AGENT => sidecar.agent(),
            _ => sidecar.connect(),
        };
        for (number, fields) in &calls {
            if client.0.write_all(&tidegate_bridge::sidecar::frame::frame(&body(*number, fields)).unwrap()).is_err() {
                break;
            }
        }
        drop(client.0.shutdown(Shutdown::Write)); // it may be gone
        while let Ok(Some(payload)) = tidegate_bridge::sidecar::frame::read(&mut client.0) {
            if payload.first() == Some(&1) {
                let text = String::from_utf8(payload[1..].to_vec()).unwrap();
                let code = text.split(':').next().unwrap_or_default();
                prop_assert!(code.len() > 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
                prop_assert!(code != "Bug", "{text}");
            }
        }
        sidecar.restored().ask(STATUS, &[]).unwrap();
        sidecar.drain();
    }
}
