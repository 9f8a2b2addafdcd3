//! Checks on real servers.

mod key;
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate::flink::JobId;
use tidegate::flink::rest::{RestDriver, Settings};
use tidegate_integration_tests::{Observed, wait_until};
use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::rollout::{Launch, Revision, Verdict};
use tidegate_protocol::time::WallTime;
use tokio::sync::mpsc;

use super::subject::{Stage, Subject};
use super::{Checks, Place};
use crate::resource::intent::check::{Check, Probe};

const DEADLINE: Duration = Duration::from_secs(20);
const RESOURCE: &str = "orders";

/// The checks of one resource, and where it is told that a verdict is final.
struct Rig {
    checks: Checks<&'static str>,
    woken: mpsc::UnboundedReceiver<&'static str>,
    place: Place,
}

impl Rig {
    fn new(client: kube::Client, namespace: &str) -> Rig {
        let (wake, woken) = mpsc::unbounded_channel();
        let checks = Checks::new(client, WallTime::from_millis(1_000), wake).unwrap();
        let driver = Arc::new(RestDriver::new(Settings::new("http://127.0.0.1:9")).unwrap());
        let (namespace, name) = (namespace.to_owned(), RESOURCE.to_owned());
        let place = Place { namespace, name, driver, job: JobId::new("0".repeat(32)) };
        Rig { checks, woken, place }
    }

    /// One that has no API server.
    fn alone() -> Rig {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let nowhere = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
        Rig::new(kube::Client::try_from(nowhere).unwrap(), "shop")
    }

    fn look(&mut self, checks: &[Check], subject: &Subject) -> BTreeMap<String, Verdict> {
        self.checks.look(&RESOURCE, checks, Some((subject.clone(), self.place.clone())))
    }

    /// Until its verdict is final; told by the wake.
    async fn final_verdict(&mut self, check: &Check, subject: &Subject) -> Verdict {
        let checks = std::slice::from_ref(check);
        let begun = self.look(checks, subject);
        assert!(matches!(begun[&check.name], Verdict::Pending(_)), "{begun:?}");
        let woken = tokio::time::timeout(DEADLINE, self.woken.recv()).await;
        let verdicts = self.look(checks, subject);
        assert_eq!(woken.ok().flatten(), Some(RESOURCE), "{verdicts:?}");
        verdicts[&check.name].clone()
    }

    /// Until its pending text has these words.
    async fn pending(&mut self, check: &Check, subject: &Subject, words: &str) {
        let checks = std::slice::from_ref(check);
        wait_until(&format!("the check waits for {words:?}"), DEADLINE, async || {
            let verdict = self.look(checks, subject)[&check.name].clone();
            let told = matches!(&verdict, Verdict::Pending(text) if text.contains(words));
            Ok(Observed::when(told, (), || format!("{verdict:?}")))
        })
        .await
        .unwrap();
    }
}

fn subject(attempt: u64) -> Subject {
    Subject {
        attempt,
        launch: Launch::first(Member::new(Color::Green, 2)),
        revision: Revision("r2".to_owned()),
        stage: Stage::Proof,
        since: WallTime::from_millis(2_000),
    }
}

fn check(count: u32, failure_limit: u32, probe: Probe) -> Check {
    Check { name: "totals".to_owned(), interval_ms: 10, count, failure_limit, probe }
}

fn failed(verdict: Verdict) -> String {
    match verdict {
        Verdict::Failed(reason) => reason,
        Verdict::Passed | Verdict::Pending(_) => panic!("it is {verdict:?}"),
    }
}

#[tokio::test]
async fn a_job_whose_cluster_does_not_answer_has_no_bad_result() {
    let mut rig = Rig::alone();
    let check = check(1, 0, Probe::Backpressure { percent: 50 });
    rig.pending(&check, &subject(1), "FlinkUnreachable: ").await;
}

#[tokio::test]
async fn without_a_version_to_look_at_all_checks_are_pending() {
    let mut rig = Rig::alone();
    let verdicts = rig.checks.look(&RESOURCE, &[check(1, 0, Probe::Backpressure { percent: 50 })], None);
    let text = "it begins when the new version has settled".to_owned();
    assert_eq!(verdicts, BTreeMap::from([("totals".to_owned(), Verdict::Pending(text))]));
    assert_eq!(rig.look(&[], &subject(1)), BTreeMap::new());
}
