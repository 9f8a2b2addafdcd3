//! Notifications, to a real server that fails, stalls and recovers.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use tidegate_integration_tests::ports::Reservation;
use tidegate_integration_tests::{Observed, wait_until};

use super::*;
use crate::resource::intent::channel;
use crate::web::server::{Heard, Reply, Server};

const DEADLINE: Duration = Duration::from_secs(20);
const RESOURCE: &str = "orders";
const PLACE: Place<'static> = Place { uid: "u", namespace: "shop", name: RESOURCE };
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// One resource, and what is told of it.
struct Rig {
    notifier: Notifier<&'static str>,
    woken: mpsc::UnboundedReceiver<&'static str>,
    counted: Arc<Mutex<Vec<(String, Outcome)>>>,
    folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Rig {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("shop/hooks")).unwrap();
        let (wake, woken) = mpsc::unbounded_channel();
        let counted = Arc::<Mutex<Vec<(String, Outcome)>>>::default();
        let all = counted.clone();
        let count = move |_: &&str, channel: &str, outcome| lock(&all).push((channel.to_owned(), outcome));
        let pauses = (Duration::from_millis(5), Duration::from_millis(20));
        let (timeout, farewell) = (Duration::from_millis(300), Duration::from_secs(60));
        let pace = Pace { timeout, pauses, farewell };
        let secrets = Secrets::Folder(folder.path().to_owned());
        let http = crate::web::client(&[]).unwrap();
        let notifier = Notifier::new(http, secrets, wake, Arc::new(count), pace);
        let rig = Rig { notifier, woken, counted, folder };
        rig.keep("key", KEY);
        rig
    }

    /// In the Secret "hooks".
    fn keep(&self, key: &str, value: &str) {
        fs::write(self.folder.path().join("shop/hooks").join(key), format!("{value}\n")).unwrap();
    }

    fn offer(&self, channels: &[Channel], pending: &[Message]) {
        self.notifier.offer(&RESOURCE, PLACE, channels, pending);
    }

    /// Until something was taken, or given up.
    async fn settled(&mut self) -> BTreeSet<Delivery> {
        let woken = tokio::time::timeout(DEADLINE, self.woken.recv()).await;
        assert_eq!(woken.ok().flatten(), Some(RESOURCE), "{:?}", self.notifier.failing(&RESOURCE));
        self.notifier.delivered(&RESOURCE)
    }

    /// Until a channel is told to fail with these words.
    async fn failing(&self, channel: &str, words: &str) -> String {
        wait_until(&format!("{channel} fails with {words:?}"), DEADLINE, async || {
            let failing = self.notifier.failing(&RESOURCE);
            let text = failing.get(channel).cloned().unwrap_or_default();
            Ok(Observed::when(text.contains(words), text, || format!("{failing:?}")))
        })
        .await
        .unwrap()
    }

    fn outcomes(&self) -> Vec<(String, Outcome)> {
        lock(&self.counted).clone()
    }
}

fn channels(list: Value) -> Vec<Channel> {
    let list: Vec<_> = serde_json::from_value(list).unwrap();
    let channels = channel::usable(&list);
    assert_eq!(channels.len(), list.len());
    channels
}

fn webhook(name: &str, server: &Server) -> Value {
    json!({ "name": name, "webhook": { "url": server.address(), "secret": { "name": "hooks", "key": "key" } } })
}

fn slack() -> Value {
    json!({ "name": "chat", "slack": { "secret": { "name": "hooks", "key": "url" } } })
}

fn message(number: u64, to: &[&str]) -> Message {
    let now = tidegate_agent::now();
    serde_json::from_value(json!({
        "id": format!("u-{}-{number}", now.as_millis()),
        "time": crate::resource::status::build::time(now),
        "severity": "warning", "stage": "start", "attempt": 2, "who": "tidegate",
        "what": "gave up green-1 (Unstable)", "why": "2 restarts & <!channel>, 0 allowed", "command": "kubectl …",
        "to": to,
    }))
    .unwrap()
}

fn delivery(message: &Message, channel: &str) -> Delivery {
    (message.id.clone(), channel.to_owned())
}

fn ok() -> Reply {
    Reply::Answer(200, "ok".to_owned())
}

fn header<'a>(heard: &'a Heard, name: &str) -> &'a str {
    heard.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// As a receiver would check it, with the key that both know.
fn demand_signed(heard: &Heard) {
    let text =
        format!("{}.{}.{}", header(heard, "webhook-id"), header(heard, "webhook-timestamp"), heard.body);
    let signature = header(heard, "webhook-signature").strip_prefix("v1,").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    hmac::verify(&key, text.as_bytes(), &BASE64_STANDARD.decode(signature).unwrap()).unwrap();
}

#[tokio::test]
async fn a_receiver_that_fails_and_stalls_and_recovers_is_told_once_under_one_id() {
    let server = Server::start(|_, asked| match asked {
        0 => Reply::Answer(500, String::new()),
        1 => Reply::Stall,
        2 => Reply::Redirect("http://127.0.0.1:9/".to_owned()),
        _ => ok(),
    })
    .await;
    let mut rig = Rig::new();
    let (channels, pending) = (channels(json!([webhook("ci", &server)])), [message(1, &["ci"])]);
    rig.offer(&channels, &pending);
    let wanted = BTreeSet::from([delivery(&pending[0], "ci")]);
    assert_eq!(rig.settled().await, wanted);
    // As it still stands in the outbox, it is offered again and again.
    for _ in 0..3 {
        rig.offer(&channels, &pending);
    }
    let next = message(2, &["ci"]);
    rig.offer(&channels, &[pending[0].clone(), next.clone()]);
    assert_eq!(rig.settled().await, &wanted | &BTreeSet::from([delivery(&next, "ci")]));
    let heard = server.heard();
    heard.iter().for_each(demand_signed);
    let ids: Vec<&str> = heard.iter().map(|heard| header(heard, "webhook-id")).collect();
    let id = pending[0].id.as_str();
    assert_eq!(ids, [id, id, id, id, next.id.as_str()]);
    let failed = ("ci".to_owned(), Outcome::Failed);
    let sent = ("ci".to_owned(), Outcome::Sent);
    assert_eq!(rig.outcomes(), [failed.clone(), failed.clone(), failed, sent.clone(), sent]);
    assert_eq!(rig.notifier.failing(&RESOURCE), BTreeMap::new());
    rig.offer(&channels, &[]);
    assert_eq!(rig.notifier.delivered(&RESOURCE), BTreeSet::new(), "what is out of the outbox is forgotten");
}

#[tokio::test]
async fn a_receiver_that_stalls_holds_up_nobody_else() {
    let (stalled, good) = (Server::start(|_, _| Reply::Stall).await, Server::start(|_, _| ok()).await);
    let mut rig = Rig::new();
    let channels = channels(json!([webhook("a", &stalled), webhook("b", &good)]));
    let pending: Vec<Message> = (0..PENDING as u64).map(|number| message(number, &["a", "b"])).collect();
    rig.offer(&channels, &pending);
    for _ in 0..PENDING {
        rig.settled().await;
    }
    assert_eq!(good.asked(), PENDING);
    assert!(rig.notifier.delivered(&RESOURCE).iter().all(|(_, channel)| channel == "b"));
    let text = rig.failing("a", "did not answer in time").await;
    assert!(text.contains(&stalled.address()), "{text}");
}

#[tokio::test]
async fn secrets_are_read_anew_and_told_to_nobody() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let server = Server::start(move |path, _| {
        let found = path == "/services/T0/B0/hidden" && !is_down.load(Ordering::SeqCst);
        if found { ok() } else { Reply::Answer(403, "hidden".to_owned()) }
    })
    .await;
    let mut rig = Rig::new();
    let pending = [message(1, &["chat"])];
    rig.offer(&channels(json!([slack()])), &pending);
    let mut told = vec![rig.failing("chat", "url cannot be read").await];
    rig.keep("url", "hidden");
    told.push(rig.failing("chat", "holds no address; write https://").await);
    let closed = Reservation::take().unwrap().release();
    rig.keep("url", &format!("http://127.0.0.1:{closed}/services/T0/B0/hidden"));
    told.push(rig.failing("chat", "Slack cannot be reached").await);
    rig.keep("url", &format!("{}/services/T0/B0/hidden", server.address()));
    told.push(rig.failing("chat", "Slack answers 403").await);
    down.store(false, Ordering::SeqCst);
    assert_eq!(rig.settled().await, BTreeSet::from([delivery(&pending[0], "chat")]));
    assert!(told.iter().all(|text| !text.contains("hidden") && !text.contains("T0")), "{told:?}");
    let body: Value = serde_json::from_str(&server.heard().last().unwrap().body).unwrap();
    assert_eq!(
        body["text"],
        "*warning* shop/orders, attempt 2, start\ngave up green-1 (Unstable): 2 restarts &amp; &lt;!channel&gt;, 0 allowed \
         (tidegate)\n```kubectl …```"
    );
}

#[tokio::test]
async fn a_key_that_is_too_short_signs_nothing() {
    let server = Server::start(|_, _| ok()).await;
    let mut rig = Rig::new();
    for short in ["", "tooshort", "whsec_dG9vc2hvcnQ=", "whsec_%%%"] {
        rig.keep("key", short);
        rig.offer(&channels(json!([webhook("ci", &server)])), &[message(1, &["ci"])]);
        let text = rig.failing("ci", "holds no key to sign with; write whsec_").await;
        assert!(short.is_empty() || !text.contains(short), "{text}");
    }
    assert_eq!(server.asked(), 0);
    rig.keep("key", &format!("whsec_{}", BASE64_STANDARD.encode(KEY)));
    rig.settled().await;
    server.heard().iter().for_each(demand_signed);
}

#[tokio::test]
async fn what_is_too_old_is_given_up_and_what_comes_after_it_is_sent() {
    let server = Server::start(|_, _| ok()).await;
    let mut rig = Rig::new();
    let mut old = message(1, &["ci"]);
    let long_ago = tidegate_agent::now().as_millis() - outbox::AGE_MS - 2_000;
    old.time = crate::resource::status::build::time(WallTime::from_millis(long_ago));
    let pending = [old, message(2, &["ci"])];
    rig.offer(&channels(json!([webhook("ci", &server)])), &pending);
    rig.settled().await;
    rig.settled().await;
    let told = |outcome| ("ci".to_owned(), outcome);
    assert_eq!(rig.outcomes(), [told(Outcome::Dropped), told(Outcome::Sent)]);
    let ids: Vec<String> =
        server.heard().iter().map(|heard| header(heard, "webhook-id").to_owned()).collect();
    assert_eq!(ids, [pending[1].id.clone()]);
}

#[tokio::test]
async fn a_channel_that_has_changed_begins_anew_and_one_that_is_gone_ends() {
    let (old, new) =
        (Server::start(|_, _| Reply::Answer(500, String::new())).await, Server::start(|_, _| ok()).await);
    let mut rig = Rig::new();
    let pending = [message(1, &["ci"])];
    rig.offer(&channels(json!([webhook("ci", &old)])), &pending);
    rig.failing("ci", "answers 500").await;
    rig.offer(&channels(json!([webhook("ci", &new)])), &pending);
    assert_eq!(rig.settled().await, BTreeSet::from([delivery(&pending[0], "ci")]));
    rig.offer(&[], &[]);
    assert_eq!(rig.notifier.failing(&RESOURCE), BTreeMap::new());
    assert_eq!(new.asked(), 1);
}

#[tokio::test]
async fn the_last_words_of_a_resource_that_is_gone_are_tried_for_a_while() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let status = move || if is_down.load(Ordering::SeqCst) { 500 } else { 200 };
    let server = Server::start(move |_, _| Reply::Answer(status(), String::new())).await;
    let mut rig = Rig::new();
    let channels = channels(json!([webhook("ci", &server)]));
    rig.offer(&channels, &[message(1, &["ci"])]);
    rig.failing("ci", "answers 500").await;
    rig.notifier.forget(&RESOURCE, tidegate_agent::now());
    down.store(false, Ordering::SeqCst);
    rig.settled().await;
    // Nothing is left to try on when the time is over.
    down.store(true, Ordering::SeqCst);
    rig.offer(&channels, &[message(2, &["ci"])]);
    rig.failing("ci", "answers 500").await;
    rig.notifier.forget(&RESOURCE, WallTime::default());
    rig.settled().await;
    assert_eq!(rig.outcomes().last(), Some(&("ci".to_owned(), Outcome::Dropped)));
}

/// The example of the specification of Standard Webhooks.
#[test]
fn a_signature_is_that_of_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("n/s")).unwrap();
    fs::write(folder.path().join("n/s/k"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let secret = crate::resource::spec::SecretKey { name: "s".to_owned(), key: "k".to_owned() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let secrets = Secrets::Folder(folder.path().to_owned());
    let key = runtime.block_on(secrets.read("n", &secret)).unwrap().key().unwrap();
    let signature =
        form::signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

/// As the page has them.
#[test]
fn the_bodies_are_those_of_the_page() {
    let page = include_str!("../../../docs/notifications.md");
    let told: Vec<Value> = page
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| serde_json::from_str(rest.split("```\n").next()?).ok())
        .collect();
    let data = &told[1]["data"];
    let mut message = data.clone();
    message["id"] = "u-1-1".into();
    message["time"] = told[1]["timestamp"].clone();
    message["to"] = json!([]);
    let message: Message = serde_json::from_value(message).unwrap();
    let text = |field: &str| data[field].as_str().unwrap();
    let (namespace, name) = (text("namespace"), text("name"));
    let read = |body: String| serde_json::from_str::<Value>(&body).unwrap();
    assert_eq!(read(form::webhook(namespace, name, &message)), told[1]);
    assert_eq!(read(form::slack(namespace, name, &message)), told[0]);
}
