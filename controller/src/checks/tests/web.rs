//! HTTP checks and Prometheus queries, on servers that fail, stall, recover, lead astray and answer too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Certificate;
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::certificates::Certificates;
use tidegate_integration_tests::ports::Reservation;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::super::course::Finding;
use super::*;
use crate::web::server::{Reply, Server};

fn http(url: String, timeout_ms: u64) -> Probe {
    Probe::Http { url, status: 200, timeout_ms }
}

fn prometheus(url: String) -> Probe {
    let query = "max(errors{job=\"{member}\"})".to_owned();
    Probe::Prometheus { url, query, at_least: None, at_most: Some(1.0), timeout_ms: 5_000 }
}

fn ok() -> Reply {
    Reply::Answer(200, String::new())
}

fn number(number: &str) -> Reply {
    let result =
        format!(r#"{{"resultType": "vector", "result": [{{"metric": {{}}, "value": [1, "{number}"]}}]}}"#);
    Reply::Answer(200, format!(r#"{{"status": "success", "data": {result}}}"#))
}

#[tokio::test]
async fn a_server_that_recovers_within_the_limit_passes_and_is_not_asked_again() {
    let server = Server::start(|_, asked| match asked {
        0 => ok(),
        1 | 2 => Reply::Answer(503, "down".to_owned()),
        _ => ok(),
    })
    .await;
    let mut rig = Rig::alone();
    let check = check(2, 2, http(server.address(), 5_000));
    assert_eq!(rig.final_verdict(&check, &subject(1)).await, Verdict::Passed);
    assert_eq!(server.asked(), 5);
}

#[tokio::test]
async fn a_server_that_stays_bad_fails_with_its_address_and_without_its_secrets() {
    let server = Server::start(|path, _| {
        let wanted = path == "/green-2/ok?token=secret";
        Reply::Answer(if wanted { 500 } else { 404 }, "a secret".to_owned())
    })
    .await;
    let mut rig = Rig::alone();
    let check = check(1, 2, http(format!("{}/{{member}}/ok?token=secret", server.address()), 5_000));
    assert_eq!(
        failed(rig.final_verdict(&check, &subject(1)).await),
        format!(
            "3 bad, 2 allowed; last: {}/green-2/ok answers 500, and 200 is wanted; look into it, or write the status \
             that is good",
            server.address()
        )
    );
}

#[tokio::test]
async fn what_stalls_redirects_or_is_not_there_is_a_bad_result() {
    let stalled = Server::start(|_, _| Reply::Stall).await;
    let target = Server::start(|_, _| ok()).await;
    let to = target.address();
    let redirecting = Server::start(move |_, _| Reply::Redirect(to.clone())).await;
    let closed = Reservation::take().unwrap().release();
    for (address, timeout_ms, words) in [
        (stalled.address(), 50, "has not answered within 50ms"),
        (redirecting.address(), 5_000, "answers 302, and redirects are not followed"),
        (format!("http://127.0.0.1:{closed}"), 5_000, "cannot be asked (Connection refused"),
    ] {
        let mut rig = Rig::alone();
        let check = check(1, 0, http(address.clone(), timeout_ms));
        let reason = failed(rig.final_verdict(&check, &subject(1)).await);
        assert!(reason.contains(&address) && reason.contains(words), "{reason}");
    }
    assert_eq!(target.asked(), 0);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read_on() {
    let server = Server::start(|_, _| Reply::Huge).await;
    let mut rig = Rig::alone();
    assert_eq!(
        rig.final_verdict(&check(1, 0, http(server.address(), 5_000)), &subject(1)).await,
        Verdict::Passed
    );
    rig.pending(&check(1, 0, prometheus(server.address())), &subject(2), "answers more than 1048576 bytes")
        .await;
}

#[tokio::test]
async fn a_certificate_must_be_trusted() {
    let scratch = Scratch::new("checks").unwrap();
    let files = Certificates::create(scratch.path()).unwrap();
    let certificate = CertificateDer::from_pem_file(files.server()).unwrap();
    let key = PrivateKeyDer::from_pem_file(files.server()).unwrap();
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let server = Server::with_tls(TlsAcceptor::from(Arc::new(config)), |_, _| ok()).await;
    let address = format!("https://127.0.0.1:{}", server.port());
    let mut rig = Rig::alone();
    let check = check(1, 0, http(address, 5_000));
    let reason = failed(rig.final_verdict(&check, &subject(1)).await);
    assert!(reason.contains("cannot be asked (invalid peer certificate: UnknownIssuer)"), "{reason}");
    let authority = Certificate::from_pem(&std::fs::read(files.authority()).unwrap()).unwrap();
    rig.checks.http = crate::web::client(&[authority]).unwrap();
    assert_eq!(rig.final_verdict(&check, &subject(2)).await, Verdict::Passed);
}

#[tokio::test]
async fn another_attempt_begins_anew_and_a_verdict_of_this_one_stays() {
    let good = Arc::new(AtomicBool::new(false));
    let told = good.clone();
    let server =
        Server::start(
            move |_, _| {
                if told.load(Ordering::SeqCst) { ok() } else { Reply::Answer(500, String::new()) }
            },
        )
        .await;
    let mut rig = Rig::alone();
    let check = check(1, 0, http(server.address(), 5_000));
    let verdict = rig.final_verdict(&check, &subject(1)).await;
    good.store(true, Ordering::SeqCst);
    assert_eq!(rig.look(std::slice::from_ref(&check), &subject(1))[&check.name], verdict);
    assert_eq!(rig.final_verdict(&check, &subject(2)).await, Verdict::Passed);
    let changed = Check { count: 2, ..check };
    assert_eq!(rig.final_verdict(&changed, &subject(2)).await, Verdict::Passed);
}

#[tokio::test]
async fn a_controller_that_took_over_counts_anew_and_says_so() {
    let server = Server::start(|_, _| Reply::Stall).await;
    let mut rig = Rig::alone();
    let check = check(3, 0, http(server.address(), 60_000));
    let before = Subject { since: WallTime::from_millis(999), ..subject(1) };
    let text = "0 of 3 good results in a row (counted anew since 1970-01-01T00:00:01Z, when this controller took over)";
    assert_eq!(rig.look(&[check], &before)["totals"], Verdict::Pending(text.to_owned()));
}

#[tokio::test]
async fn checks_that_nobody_wants_any_more_end() {
    let server = Server::start(|_, _| ok()).await;
    let mut rig = Rig::alone();
    for end in [
        |rig: &mut Rig| rig.checks.forget(&RESOURCE),
        |rig: &mut Rig| drop(rig.checks.look(&RESOURCE, &[], None)),
        |rig: &mut Rig| drop(rig.look(&[], &subject(1))),
    ] {
        let begun = server.asked();
        let check = Check { interval_ms: 3_600_000, ..check(2, 0, http(server.address(), 5_000)) };
        rig.look(std::slice::from_ref(&check), &subject(1));
        wait_until("it is asked", DEADLINE, async || {
            Ok(Observed::when(server.asked() > begun, (), String::new))
        })
        .await
        .unwrap();
        let task = rig.checks.running[RESOURCE].tasks["totals"].handle.clone();
        end(&mut rig);
        wait_until("its task has ended", DEADLINE, async || {
            Ok(Observed::when(task.is_finished(), (), || "it runs".to_owned()))
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_prometheus_that_cannot_tell_gives_no_bad_result() {
    let error =
        r#"{"status": "error", "errorType": "bad_data", "error": "parse error: unclosed left parenthesis"}"#;
    let closed = Reservation::take().unwrap().release();
    let refusing = Server::start(move |_, _| Reply::Answer(400, error.to_owned())).await;
    let other = Server::start(|_, _| Reply::Answer(200, "<html>hello</html>".to_owned())).await;
    let empty = r#"{"status": "success", "data": {"resultType": "vector", "result": []}}"#;
    let empty = Server::start(move |_, _| Reply::Answer(200, empty.to_owned())).await;
    for (address, words) in [
        (format!("http://127.0.0.1:{closed}"), "cannot be asked (Connection refused"),
        (
            refusing.address(),
            "answers 400, \"bad_data\": \"parse error: unclosed left parenthesis\"; mend the query",
        ),
        (other.address(), "answers 200 and not as Prometheus does"),
        (empty.address(), "has nothing for the query yet"),
    ] {
        let mut rig = Rig::alone();
        rig.pending(&check(1, 0, prometheus(address)), &subject(1), words).await;
    }
}

#[tokio::test]
async fn a_number_beyond_its_bounds_is_a_bad_result() {
    let server = Server::start(|path, asked| {
        let wanted = "/prefix/api/v1/query?query=max%28errors%7Bjob%3D%22green-2%22%7D%29";
        assert_eq!(path, wanted);
        number(if asked < 2 { "0.5" } else { "1.5" })
    })
    .await;
    let mut rig = Rig::alone();
    let check = check(3, 0, prometheus(format!("{}/prefix/", server.address())));
    assert_eq!(
        failed(rig.final_verdict(&check, &subject(1)).await),
        "1 bad, 0 allowed; last: the query gives 1.5, which is above 1"
    );
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn one_look_at_a_closed_port_is_bad_for_a_service_and_unknown_for_a_server_of_metrics() {
    let closed = format!("http://127.0.0.1:{}", Reservation::take().unwrap().release());
    let rig = Rig::alone();
    for (probe, bad) in [(http(closed.clone(), 5_000), true), (prometheus(closed), false)] {
        let looker = crate::checks::look::Looker {
            client: rig.checks.client.clone(),
            http: rig.checks.http.clone(),
            place: rig.place.clone(),
            revision: subject(1).revision,
            member: subject(1).member(),
            probe,
        };
        assert_eq!(matches!(looker.look().await, Finding::Bad(_)), bad);
    }
}
