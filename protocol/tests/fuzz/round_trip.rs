//! Whatever is written is read back the same, and whatever is read can be lived with.

use std::fmt::Debug;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_protocol::conductor::Asked;
use tidegate_protocol::documents::{from_json, v1};
use tidegate_protocol::edit::{self, Keys, Turn};
use tidegate_protocol::member::{Event, Evidence};
use tidegate_protocol::subtask::{Held, Limits, Status, Subtask};
use tidegate_protocol::time::WallTime;

use crate::{consume, strategies};

fn json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let written = serde_json::to_vec(value).unwrap();
    assert_eq!(from_json::<T>(&written).as_ref(), Ok(value), "{}", String::from_utf8_lossy(&written));
}

/// Two subtasks that have counted as far as numbers go.
#[test]
fn sums_of_counters_end_at_the_largest_number() {
    let mut status: Status = from_json(include_bytes!("../golden/status.json")).unwrap();
    (status.emitted, status.discarded, status.held, status.odd) =
        (u64::MAX, u64::MAX, u64::MAX, [u64::MAX; 3]);
    let mut told =
        vec![Event::GateOpened { gate: "orders".to_owned(), parallelism: 2, evidence: Evidence::Committer }];
    for subtask in 0..2 {
        let (gate, status) = (|| "orders".to_owned(), status.clone());
        told.push(Event::SubtaskReady { gate: gate(), subtask, attempt: 0, parallelism: 2 });
        told.push(Event::SubtaskStatus { gate: gate(), subtask, attempt: 0, status });
    }
    let (document, _) = v1::read_document(include_bytes!("../golden/document-v1-committed.json")).unwrap();
    consume::events(&document, &told);
}

proptest! {
    #[test]
    fn a_document(document in strategies::document(), nonce in strategies::text()) {
        let written = v1::write_document(&document, &nonce);
        prop_assert_eq!(v1::read_document(&written).unwrap(), (document, nonce));
    }

    #[test]
    fn a_report(report in strategies::report()) {
        prop_assert_eq!(v1::read_report(&v1::write_report(&report)).unwrap(), report);
    }

    #[test]
    fn a_request(request in strategies::request(), id in "[a-zA-Z0-9_.:-]{1,80}") {
        let keys = edit::ask(&Keys::new(), &request, &id).unwrap();
        let Turn::Put(taken) = edit::turn(&keys, None, "unused") else { panic!("{keys:?} is not taken") };
        prop_assert_eq!(edit::turn(&taken, None, "unused"), Turn::Answer(Asked { id, request }));
    }

    #[test]
    fn a_header(header in strategies::header()) {
        prop_assert_eq!(v1::read_header(&v1::write_header(&header)).unwrap(), header);
        let held = vec![Held { time: header.frontier, bytes: 1, inherited: false, record: () }];
        prop_assert!(Subtask::new(header.member, Limits::default(), &[header], held).is_ok());
    }

    #[test]
    fn an_order_and_it_can_be_followed(order in strategies::order()) {
        json(&order);
        consume::order(&order);
    }

    #[test]
    fn events_and_those_that_can_be_are_taken(
        document in strategies::document(),
        events in prop::collection::vec(strategies::event(), 0..6),
    ) {
        events.iter().for_each(json);
        let possible: Vec<_> = events.into_iter().filter(|event| event.check().is_ok()).collect();
        consume::events(&document, &possible);
    }

    #[test]
    fn a_conductor_takes_any_document_with_any_reports_and_any_request(
        document in strategies::document(),
        reports in prop::collection::vec(strategies::report(), 0..4),
        request in prop::option::of(strategies::request()),
        now in any::<u64>(),
    ) {
        consume::observation(&document, &reports, request, WallTime::from_millis(now));
    }
}
