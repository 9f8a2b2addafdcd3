use tidegate_integration_tests::{Observed, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

struct Rig {
    address: SocketAddr,
    pulse: Arc<Pulse>,
    task: tokio::task::JoinHandle<()>,
}

impl Rig {
    async fn start() -> Rig {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address();
        let (metrics, pulse) = (Arc::new(Metrics::new().unwrap()), Arc::new(Pulse::new(Instant::now())));
        let task = tokio::spawn(listener.serve(metrics, pulse.clone()));
        Rig { address, pulse, task }
    }

    async fn ask(&self, method: reqwest::Method, path: &str) -> (u16, String, String) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let response = client.request(method, format!("http://{}{path}", self.address)).send().await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (status, kind, response.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let (status, _, text) = self.ask(reqwest::Method::GET, path).await;
        (status, text)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn metrics_are_told_as_prometheus_reads_them() {
    let rig = Rig::start().await;
    let (status, kind, text) = rig.ask(reqwest::Method::GET, "/metrics").await;
    assert_eq!((status, kind.as_str()), (200, "text/plain; version=0.0.4"));
    assert!(text.contains("# TYPE tidegate_build_info gauge\n") && text.ends_with('\n'), "{text}");
}

#[tokio::test]
async fn it_is_ready_when_it_has_a_role_and_the_api_server() {
    let rig = Rig::start().await;
    assert_eq!(rig.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(rig.get("/readyz").await, (503, "it neither leads nor stands by yet\n".to_owned()));
    rig.pulse.stand_by();
    assert_eq!(rig.get("/readyz").await, (503, "the API server has not answered yet\n".to_owned()));
    rig.pulse.contact(Instant::now());
    assert_eq!(rig.get("/readyz").await, (200, "ok\n".to_owned()));
    rig.pulse.lead();
    assert_eq!(rig.get("/readyz").await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn anything_else_is_told_what_there_is() {
    let rig = Rig::start().await;
    let text = "there are /metrics, /healthz and /readyz\n".to_owned();
    assert_eq!(rig.get("/").await, (404, text));
    let (status, _, text) = rig.ask(reqwest::Method::POST, "/metrics").await;
    assert_eq!((status, text.as_str()), (405, "only GET is answered here\n"));
    assert_eq!(rig.ask(reqwest::Method::HEAD, "/healthz").await.0, 200);
}

#[tokio::test]
async fn who_says_nothing_or_too_much_keeps_nobody_from_asking() {
    let rig = Rig::start().await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS - 1 {
        silent.push(TcpStream::connect(rig.address).await.unwrap());
    }
    let mut long = TcpStream::connect(rig.address).await.unwrap();
    let request = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(2 * REQUEST_MAX));
    // It may be hung up upon before it has said all.
    let _ = long.write_all(request.as_bytes()).await;
    let mut told = Vec::new();
    let _ = long.read_to_end(&mut told).await;
    let told = String::from_utf8_lossy(&told);
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 431 "), "{told}");
    assert_eq!(rig.get("/healthz").await.0, 200);
    drop(silent);
    wait_until("it answers", DEADLINE, async || {
        let (status, text) = rig.get("/healthz").await;
        Ok(Observed::when(status == 200, (), || text))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_with_the_way_out() {
    let rig = Rig::start().await;
    let error = Listener::bind(rig.address).await.unwrap_err().to_string();
    let words = format!("ListenFailed: cannot listen on {}: ", rig.address);
    assert!(error.starts_with(&words) && error.contains("--listen"), "{error}");
}

#[test]
fn signs_of_life_grow_old() {
    let begun = Instant::now();
    let pulse = Pulse::new(begun);
    let after = |seconds| begun + Duration::from_secs(seconds);
    assert_eq!(pulse.health(after(120)), Ok(()));
    assert_eq!(pulse.health(after(130)), Err("the loop has not gone round for 130 s".to_owned()));
    pulse.round(after(130));
    assert_eq!(pulse.health(after(131)), Ok(()));
    pulse.lead();
    pulse.contact(after(100));
    assert_eq!(pulse.readiness(after(145)), Ok(()));
    assert_eq!(pulse.readiness(after(150)), Err("the API server has not answered for 50 s".to_owned()));
}
