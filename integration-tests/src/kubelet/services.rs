//! What stands for Services: a hosts file for JVMs, and a proxy for everybody else.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Of a request, before its body.
const HEAD_MAX: usize = 64 << 10;

/// Namespace and deployment.
type Name = (String, String);

#[derive(Debug)]
pub(super) struct Services {
    hosts: PathBuf,
    front: String,
    job_managers: Mutex<BTreeMap<Name, JobManager>>,
}

#[derive(Debug, Clone, Copy)]
struct JobManager {
    rest: (Ipv4Addr, u16),
    /// Where its other ports are.
    address: Ipv4Addr,
}

impl Services {
    pub(super) async fn start(hosts: PathBuf) -> Result<(Arc<Self>, JoinHandle<()>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let front = format!("http://{}", listener.local_addr()?);
        let services = Arc::new(Self { hosts, front, job_managers: Mutex::default() });
        services.write_hosts()?;
        let shared = services.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let services = shared.clone();
                // What breaks here is seen by the client.
                tokio::spawn(async move { services.pass(client).await });
            }
        });
        Ok((services, task))
    }

    pub(super) fn hosts(&self) -> &Path {
        &self.hosts
    }

    pub(super) fn front(&self) -> &str {
        &self.front
    }

    pub(super) fn job_managers(&self) -> BTreeMap<Name, String> {
        let address = |(name, manager): (&Name, &JobManager)| {
            (name.clone(), format!("http://{}:{}", manager.rest.0, manager.rest.1))
        };
        self.locked().iter().map(address).collect()
    }

    pub(super) fn add(&self, name: Name, rest: (Ipv4Addr, u16), address: Ipv4Addr) -> Result<()> {
        self.locked().insert(name, JobManager { rest, address });
        self.write_hosts()
    }

    pub(super) fn remove(&self, name: &Name) -> Result<()> {
        self.locked().remove(name);
        self.write_hosts()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, JobManager>> {
        self.job_managers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As a whole or not at all: a JVM may read it at any time.
    fn write_hosts(&self) -> Result<()> {
        let mut text = String::from("127.0.0.1 localhost\n");
        for ((namespace, deployment), manager) in &*self.locked() {
            text += &format!("{} {deployment}-rest.{namespace}\n", manager.rest.0);
            text += &format!("{} {deployment}.{namespace}\n", manager.address);
        }
        let fresh = self.hosts.with_extension("new");
        fs::write(&fresh, text).context("cannot write the hosts file")?;
        fs::rename(&fresh, &self.hosts).context("cannot put the hosts file in place")
    }

    /// One request of each connection: what comes after it would be for the same JobManager, whatever it asks for.
    async fn pass(&self, mut client: TcpStream) -> Result<()> {
        let mut head = Vec::new();
        let end = loop {
            if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if head.len() > HEAD_MAX || client.read_buf(&mut head).await? == 0 {
                bail!("the request has no end");
            }
        };
        let text = String::from_utf8_lossy(&head[..end]).into_owned();
        let Some((to, request)) = self.route(&text) else {
            let answer = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            return Ok(client.write_all(answer.as_bytes()).await?);
        };
        let mut server = TcpStream::connect(to).await?;
        server.write_all(request.as_bytes()).await?;
        server.write_all(&head[end..]).await?;
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.split(), server.split());
        let answer = async {
            let mut head = Vec::new();
            let end = loop {
                if let Some(end) = head.windows(2).position(|window| window == b"\r\n") {
                    break end + 2;
                }
                if from_server.read_buf(&mut head).await? == 0 {
                    bail!("there is no answer");
                }
            };
            // Flink does not say so, and the client would use the connection again.
            to_client.write_all(&head[..end]).await?;
            to_client.write_all(b"Connection: close\r\n").await?;
            to_client.write_all(&head[end..]).await?;
            tokio::io::copy(&mut from_server, &mut to_client).await?;
            Ok(())
        };
        let body = async {
            // It ends with the answer.
            tokio::io::copy(&mut from_client, &mut to_server).await?;
            std::future::pending::<Result<()>>().await
        };
        tokio::select! { done = answer => done, broken = body => broken }
    }

    /// Where a request goes, and what is said there.
    fn route(&self, head: &str) -> Option<((Ipv4Addr, u16), String)> {
        let (line, fields) = head.split_once("\r\n")?;
        let (method, rest) = line.split_once(" /")?;
        let (namespace, rest) = rest.split_once('/')?;
        let at = rest.find(['/', ' '])?;
        let (deployment, path) = rest.split_at(at);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let to = self.locked().get(&(namespace.to_owned(), deployment.to_owned()))?.rest;
        let fields =
            fields.split("\r\n").filter(|field| !field.to_ascii_lowercase().starts_with("connection:"));
        let fields: Vec<&str> = fields.collect();
        Some((to, format!("{method} {path}\r\nConnection: close\r\n{}", fields.join("\r\n"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_goes_to_the_deployment_of_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let (services, task) = Services::start(folder.path().join("hosts")).await.unwrap();
        let (rest, own) = (Ipv4Addr::new(127, 1, 0, 2), Ipv4Addr::LOCALHOST);
        services.add(("shop".into(), "orders-blue-1".into()), (rest, 8081), own).unwrap();
        let head = "GET /shop/orders-blue-1/jobs?a=b HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
        let (to, request) = services.route(head).unwrap();
        assert_eq!(to, (rest, 8081));
        assert_eq!(request, "GET /jobs?a=b HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n");
        assert!(services.route("GET /shop/orders-green-1/jobs HTTP/1.1\r\n\r\n").is_none());
        let hosts = fs::read_to_string(services.hosts()).unwrap();
        assert!(
            hosts.contains("127.1.0.2 orders-blue-1-rest.shop\n127.0.0.1 orders-blue-1.shop\n"),
            "{hosts}"
        );
        task.abort();
    }
}
