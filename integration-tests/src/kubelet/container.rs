//! A Flink container as a process: what its image's scripts would start.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{Container, Pod};

use super::files::{inside, value_of};
use crate::flink::{LOG4J, OPENED_PACKAGES};
use crate::maven::Libraries;

/// Where Flink's image has its configuration.
const CONFIGURATION: &str = "/opt/flink/conf";
const JOB_MANAGER: &str = "org.apache.flink.kubernetes.entrypoint.KubernetesApplicationClusterEntrypoint";
const TASK_MANAGER: &str = "org.apache.flink.kubernetes.taskmanager.KubernetesTaskExecutorRunner";

/// Which of the two it is, and the arguments of its script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    JobManager { arguments: Vec<String> },
    TaskManager { arguments: Vec<String> },
}

/// Where a pod is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The pod's address.
    pub(super) address: Ipv4Addr,
    /// Where a JobManager's REST service is.
    pub(super) rest: Ipv4Addr,
    /// A JobManager's ports of its own, for RPC and for blobs.
    pub(super) ports: Option<(u16, u16)>,
}

pub(super) fn container(pod: &Pod) -> Result<&Container> {
    pod.spec.as_ref().and_then(|spec| spec.containers.first()).context("the pod has no container")
}

/// By the script that the container's shell runs.
pub(super) fn role(container: &Container) -> Result<Role> {
    let line = container.args.iter().flatten().next_back().context("the container has no arguments")?;
    let mut words = words(line).into_iter();
    match words.next().as_deref() {
        Some("kubernetes-jobmanager.sh") if words.next().as_deref() == Some("kubernetes-application") => {
            Ok(Role::JobManager { arguments: words.collect() })
        }
        Some("kubernetes-taskmanager.sh") => Ok(Role::TaskManager { arguments: words.collect() }),
        _ => bail!("{line:?} is nothing that this stand-in can run"),
    }
}

/// As a shell parts them, with single and double quotes and the backslash.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (Some(_) | None, other) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// The port of a JobManager's REST service.
pub(super) fn rest_port(container: &Container) -> u16 {
    let named = container.ports.iter().flatten().find(|port| port.name.as_deref() == Some("rest"));
    named.and_then(|port| u16::try_from(port.container_port).ok()).unwrap_or(8081)
}

/// The process. Its memory is bounded, whatever the pod asks for: a test's job needs little.
pub(super) fn command(
    pod: &Pod,
    role: &Role,
    root: &Path,
    place: Place,
    libraries: &Libraries,
) -> Result<Command> {
    let configuration = inside(root, CONFIGURATION);
    let log4j = root.join("log4j2.properties");
    fs::write(&log4j, LOG4J).context("cannot write the configuration of the log")?;
    let mut java = Command::new("java");
    java.args(["-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"])
        .args(OPENED_PACKAGES);
    java.arg(format!("-Dlog4j.configurationFile={}", log4j.display()));
    match role {
        Role::JobManager { .. } => java.args(["-Xmx192m", "-XX:MaxMetaspaceSize=160m"]),
        Role::TaskManager { .. } => {
            java.args(["-Xmx192m", "-XX:MaxDirectMemorySize=128m", "-XX:MaxMetaspaceSize=128m"])
        }
    };
    java.arg("-cp").arg(libraries.classpath());
    match role {
        Role::JobManager { arguments } => java.arg(JOB_MANAGER).args(arguments),
        Role::TaskManager { arguments } => {
            java.arg(TASK_MANAGER).arg("--configDir").arg(&configuration).args(arguments)
        }
    };
    java.args(settings(role, root, place));
    java.envs(environment(pod, place)?);
    java.env("FLINK_CONF_DIR", &configuration).env("FLINK_LIB_DIR", inside(root, "/opt/flink/lib"));
    java.env("KUBECONFIG", root.join("kubeconfig")).current_dir(root);
    fs::create_dir_all(inside(root, "/opt/flink/lib")).context("cannot create the folder of libraries")?;
    Ok(java)
}

/// A JobManager's client of its own blobs dials localhost, so that it must be there, with ports of its own.
fn settings(role: &Role, root: &Path, place: Place) -> Vec<String> {
    let mut settings = vec![format!("-Dio.tmp.dirs={}", root.join("tmp").display())];
    match role {
        Role::JobManager { .. } => {
            settings.push("-Djobmanager.bind-host=127.0.0.1".to_owned());
            settings.push(format!("-Drest.address={}", place.rest));
            settings.push(format!("-Drest.bind-address={}", place.rest));
            if let Some((rpc, blobs)) = place.ports {
                settings.push(format!("-Djobmanager.rpc.port={rpc}"));
                settings.push(format!("-Dblob.server.port={blobs}"));
            }
        }
        Role::TaskManager { .. } => {
            settings.push(format!("-Dtaskmanager.host={}", place.address));
            settings.push(format!("-Dtaskmanager.bind-host={}", place.address));
        }
    }
    settings
}

fn environment(pod: &Pod, place: Place) -> Result<Vec<(String, String)>> {
    let mut environment = Vec::new();
    for variable in container(pod)?.env.iter().flatten() {
        let field = variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref());
        let value = match (&variable.value, field.map(|field| field.field_path.as_str())) {
            (Some(value), _) => value.clone(),
            (None, Some("status.podIP")) => place.address.to_string(),
            (None, Some(field)) => value_of(pod, field),
            (None, None) => continue,
        };
        environment.push((variable.name.clone(), value));
    }
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(line: &str) -> Result<Role> {
        let args = Some(vec!["bash".to_owned(), "-c".to_owned(), line.to_owned()]);
        role(&Container { args, ..Container::default() })
    }

    #[test]
    fn the_script_tells_the_role() {
        let manager = runs("kubernetes-jobmanager.sh kubernetes-application ").unwrap();
        assert_eq!(manager, Role::JobManager { arguments: Vec::new() });
        let worker = runs("kubernetes-taskmanager.sh  -Da='b c' -D d=\"e\\\"f\" ").unwrap();
        let arguments = ["-Da=b c", "-D", "d=e\"f"].map(str::to_owned).to_vec();
        assert_eq!(worker, Role::TaskManager { arguments });
        let error = runs("nginx").unwrap_err().to_string();
        assert!(error.contains("\"nginx\" is nothing"), "{error}");
    }
}
