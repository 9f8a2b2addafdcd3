//! A Kubernetes control plane as a process: the real API server with etcd, RBAC on. Objects are kept and guarded, and nothing
//! happens to them, until Kubernetes' own controllers or a stand-in for the kubelet are started as well.

mod api;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;

use crate::http_proxy::Server;
use crate::ports::Reservation;
use crate::process::Process;
use crate::{Observed, Scratch, golang, wait_until};
pub use api::Api;

const READY_DEADLINE: Duration = Duration::from_secs(120);
const ADMIN: &str = "admin";
const CHANGING: [&str; 5] = ["APPLY", "DELETE", "PATCH", "POST", "PUT"];
const CONTROLLERS: [&str; 7] = [
    "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller,\
     root-ca-certificate-publisher-controller,deployment-controller,replicaset-controller",
    "--leader-elect=false",
    "--secure-port=0",
    "--use-service-account-credentials=false",
    "--profiling=false",
    "--kube-api-qps=200",
    "--kube-api-burst=400",
];
const KUBECTL_DEADLINE: Duration = Duration::from_secs(60);

/// A running control plane; dropping it kills it.
#[derive(Debug)]
pub struct ControlPlane {
    folder: PathBuf,
    program: PathBuf,
    port: u16,
    process: Option<Process>,
}

/// A control plane of its own folder, for tests that leave it as it is and work in a namespace of their own.
#[derive(Debug)]
pub struct Shared {
    /// Before its folder: dropped first.
    plane: ControlPlane,
    _scratch: Scratch,
}

impl Shared {
    /// The one that another test of this process is using, or a new one.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn get() -> Result<Arc<Shared>> {
        static IN_USE: Mutex<Weak<Shared>> = Mutex::const_new(Weak::new());
        let mut in_use = IN_USE.lock().await;
        if let Some(shared) = in_use.upgrade() {
            return Ok(shared);
        }
        let scratch = Scratch::new("kube")?;
        let plane = ControlPlane::start(scratch.path()).await?;
        let shared = Arc::new(Shared { plane, _scratch: scratch });
        *in_use = Arc::downgrade(&shared);
        Ok(shared)
    }
}

impl std::ops::Deref for Shared {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        &self.plane
    }
}

impl ControlPlane {
    /// Starts a control plane below `folder` and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be built, the process ends, or it takes more than 120 s.
    pub async fn start(folder: &Path) -> Result<Self> {
        let program = golang::control_plane().await?;
        let folder = folder.join("kube");
        fs::create_dir_all(&folder).context("cannot create the control plane's folder")?;
        let port = Reservation::take()?.release();
        let mut plane = Self { folder, program, port, process: None };
        plane.restart().await?;
        plane.kubeconfig(ADMIN, "default", &plane.data("admin.token")?)?;
        Ok(plane)
    }

    /// The API server's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The API server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many requests to change a ConfigMap the server has answered.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn changes(&self) -> Result<u64> {
        let metrics = self.kubectl(&["get", "--raw", "/metrics"]).await?;
        let counters = metrics.lines().filter(|line| {
            line.starts_with("apiserver_request_total{")
                && line.contains("resource=\"configmaps\"")
                && CHANGING.iter().any(|verb| line.contains(&format!("verb=\"{verb}\"")))
        });
        let number = |line: &str| line.rsplit(' ').next()?.parse::<u64>().ok();
        counters.map(number).sum::<Option<u64>>().context("a counter is no number")
    }

    /// The process, to freeze it.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// The process ids of everything that runs.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        self.process.iter().map(Process::id).collect()
    }

    /// kill -9, of the API server and etcd at once.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the control plane does not run")?.kill()?;
        Ok(())
    }

    /// Starts it on the data and port that it had, and waits until it is ready.
    ///
    /// # Errors
    /// When it runs already, ends, or it takes more than 120 s.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            bail!("the control plane runs already");
        }
        let mut up = Command::new(&self.program);
        up.args(["up", "--port", &self.port.to_string(), "--dir"]).arg(self.folder.join("data"));
        let process = Process::start("the control plane", up, &self.folder.join("control-plane.log"))?;
        self.process = Some(process);
        self.wait_ready().await
    }

    /// Starts Kubernetes' own controllers: those of Deployments and service accounts, and the garbage collector. They end when
    /// what is returned is dropped.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start_controllers(&self) -> Result<Process> {
        let mut controllers = Command::new(&self.program);
        let data = self.folder.join("data");
        controllers.arg("controllers").arg("--kubeconfig").arg(self.admin()).args(CONTROLLERS);
        controllers.arg("--root-ca-file").arg(data.join("ca.crt"));
        controllers.arg("--service-account-private-key-file").arg(data.join("service-accounts.key"));
        Process::start("the controllers of Kubernetes", controllers, &self.folder.join("controllers.log"))
    }

    /// Creates a namespace.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create_namespace(&self, name: &str) -> Result<()> {
        self.kubectl(&["create", "namespace", name]).await.map(drop)
    }

    /// Runs kubectl as the administrator and returns its standard output.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with(&self.admin(), arguments, "").await
    }

    /// As [`ControlPlane::kubectl`], with the account of a kubeconfig and something on standard input.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub async fn kubectl_with(&self, kubeconfig: &Path, arguments: &[&str], input: &str) -> Result<String> {
        self.run_kubectl(kubeconfig, arguments, input, "false").await
    }

    /// `kubectl edit`, with a command line that is given the file: `sed -i …`, for instance.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub async fn edit(&self, kubeconfig: &Path, arguments: &[&str], editor: &str) -> Result<String> {
        self.run_kubectl(kubeconfig, &[&["edit"], arguments].concat(), "", editor).await
    }

    async fn run_kubectl(
        &self,
        kubeconfig: &Path,
        arguments: &[&str],
        input: &str,
        editor: &str,
    ) -> Result<String> {
        let line = arguments.join(" ");
        let mut kubectl = tokio::process::Command::new(&self.program);
        kubectl.arg("kubectl").arg("--kubeconfig").arg(kubeconfig).args(arguments);
        kubectl
            .env("KUBE_EDITOR", editor)
            .env("HOME", &self.folder)
            .env_remove("KUBECONFIG")
            .kill_on_drop(true);
        kubectl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let run = async {
            let mut running = kubectl.spawn().context("cannot run kubectl")?;
            let mut stdin = running.stdin.take().context("kubectl has no input")?;
            let given = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
            anyhow::Ok((given, running.wait_with_output().await.context("cannot wait for kubectl")?))
        };
        let (given, output) = tokio::time::timeout(KUBECTL_DEADLINE, run)
            .await
            .with_context(|| format!("`kubectl {line}` did not end within {KUBECTL_DEADLINE:?}"))??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`kubectl {line}` failed ({}): {said}", output.status);
        // One that has failed may have read nothing, but says why.
        given.with_context(|| format!("`kubectl {line}` did not read its input"))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Applies a manifest in a namespace, as the administrator.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn apply(&self, namespace: &str, manifest: &str) -> Result<()> {
        let arguments = ["apply", "--namespace", namespace, "--filename", "-"];
        self.kubectl_with(&self.admin(), &arguments, manifest).await.map(drop)
    }

    /// Creates what a manifest holds, none of which may be there yet: quicker than [`ControlPlane::apply`].
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create(&self, namespace: &str, manifest: &str) -> Result<()> {
        let arguments = ["create", "--validate=false", "--namespace", namespace, "--filename", "-"];
        self.kubectl_with(&self.admin(), &arguments, manifest).await.map(drop)
    }

    /// The kubeconfig of the administrator, who may do everything.
    #[must_use]
    pub fn admin(&self) -> PathBuf {
        self.kubeconfig_path(ADMIN)
    }

    /// Creates a service account and returns a kubeconfig with its token. It has no rights but those of every account; give
    /// it some with [`ControlPlane::grant`].
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create_account(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        self.kubectl(&["--namespace", namespace, "create", "serviceaccount", name]).await?;
        self.account(namespace, name).await
    }

    /// A kubeconfig with a token of a service account that is there.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn account(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        self.kubeconfig(&format!("{namespace}-{name}"), namespace, &self.token(namespace, name).await?)
    }

    /// A token of a service account.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn token(&self, namespace: &str, name: &str) -> Result<String> {
        let token =
            self.kubectl(&["--namespace", namespace, "create", "token", name, "--duration", "2h"]).await?;
        Ok(token.trim().to_owned())
    }

    /// Binds a Role of the namespace to an account of it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn grant(&self, namespace: &str, role: &str, account: &str) -> Result<()> {
        let (binding, account) = (format!("{role}-{account}"), format!("{namespace}:{account}"));
        let arguments = [
            "-n",
            namespace,
            "create",
            "rolebinding",
            &binding,
            "--role",
            role,
            "--serviceaccount",
            &account,
        ];
        self.kubectl(&arguments).await.map(drop)
    }

    /// Writes a kubeconfig that carries this token.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn kubeconfig(&self, name: &str, namespace: &str, token: &str) -> Result<PathBuf> {
        let authority = self.authority();
        let cluster =
            format!("{{server: \"{}\", certificate-authority: \"{}\"}}", self.url(), authority.display());
        self.write_kubeconfig(name, namespace, token, &cluster)
    }

    /// The same, for a proxy in front of the server that speaks plain HTTP.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn kubeconfig_through(
        &self,
        proxy: &str,
        name: &str,
        namespace: &str,
        token: &str,
    ) -> Result<PathBuf> {
        self.write_kubeconfig(name, namespace, token, &format!("{{server: \"{proxy}\"}}"))
    }

    fn write_kubeconfig(&self, name: &str, namespace: &str, token: &str, cluster: &str) -> Result<PathBuf> {
        let text = format!(
            "apiVersion: v1
kind: Config
clusters:
- name: test
  cluster: {cluster}
users:
- name: {name}
  user: {{token: {token}}}
contexts:
- name: test
  context: {{cluster: test, user: {name}, namespace: {namespace}}}
current-context: test
"
        );
        let path = self.kubeconfig_path(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// The certificate that the API server's own is signed with.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.join("data/ca.crt")
    }

    fn kubeconfig_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.kubeconfig"))
    }

    async fn wait_ready(&mut self) -> Result<()> {
        wait_until("the API server is ready", READY_DEADLINE, async || {
            if let Some(process) = &mut self.process {
                process.check_alive()?;
            }
            Ok(Observed::or_not_yet(self.look_ready().await))
        })
        .await
    }

    async fn look_ready(&self) -> Result<Observed<()>> {
        let client = self.client()?.timeout(Duration::from_secs(2)).build()?;
        let answer = client.get(format!("{}/readyz", self.url())).bearer_auth(self.data("admin.token")?);
        let answer = answer.send().await?;
        let status = answer.status();
        Ok(Observed::when(status.is_success(), (), || status.to_string()))
    }

    /// For a proxy in front of it.
    ///
    /// # Errors
    /// When its certificate cannot be read.
    pub fn server(&self) -> Result<Server> {
        Ok(Server { base: self.url(), client: self.client()?.build()? })
    }

    /// What the administrator asks.
    ///
    /// # Errors
    /// When certificate or token cannot be read.
    pub fn api(&self) -> Result<Api> {
        Ok(Api { server: self.server()?, token: self.data("admin.token")? })
    }

    /// Trusts the server, and nobody else.
    fn client(&self) -> Result<reqwest::ClientBuilder> {
        let authority = reqwest::Certificate::from_pem(self.data("ca.crt")?.as_bytes())?;
        // A second installation is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(reqwest::Client::builder().tls_certs_only([authority]).no_proxy())
    }

    fn data(&self, file: &str) -> Result<String> {
        let path = self.folder.join("data").join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}
