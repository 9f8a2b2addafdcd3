//! What a pod finds in its file system, below a folder that stands for its root.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, KeyToPath, Pod, Secret, ServiceAccount, Volume};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};

/// The files of one volume.
type Files = BTreeMap<String, Vec<u8>>;

/// Writes the files of every volume at every place where the first container has it.
pub(super) async fn project(client: &Client, pod: &Pod, root: &Path) -> Result<()> {
    let spec = pod.spec.as_ref().context("the pod has no spec")?;
    let container = spec.containers.first().context("the pod has no container")?;
    for volume in spec.volumes.iter().flatten() {
        let files = files(client, pod, volume).await.with_context(|| format!("volume {}", volume.name))?;
        let mounts = container.volume_mounts.iter().flatten().filter(|mount| mount.name == volume.name);
        for mount in mounts {
            let place = inside(root, &mount.mount_path);
            match &mount.sub_path {
                // One file of the volume, under the name of the mount.
                Some(file) => write(&place, files.get(file).map(Vec::as_slice).unwrap_or_default())?,
                None => {
                    fs::create_dir_all(&place)?;
                    files.iter().try_for_each(|(file, bytes)| write(&place.join(file), bytes))?;
                }
            }
        }
    }
    Ok(())
}

/// A path of the pod as one of this machine.
pub(super) fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

async fn files(client: &Client, pod: &Pod, volume: &Volume) -> Result<Files> {
    if let Some(source) = &volume.config_map {
        return config_map(client, pod, &source.name, source.items.as_deref()).await;
    }
    if let Some(source) = &volume.secret {
        let name = source.secret_name.as_deref().unwrap_or_default();
        return secret(client, pod, name, source.items.as_deref()).await;
    }
    let mut files = Files::new();
    let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    for source in sources {
        if let Some(source) = &source.config_map {
            files.extend(config_map(client, pod, &source.name, source.items.as_deref()).await?);
        }
        if let Some(source) = &source.secret {
            files.extend(secret(client, pod, &source.name, source.items.as_deref()).await?);
        }
        if let Some(source) = &source.service_account_token {
            files.insert(source.path.clone(), token(client, pod).await?.into_bytes());
        }
        let fields = source.downward_api.iter().flat_map(|source| source.items.iter().flatten());
        for field in fields {
            let value = field.field_ref.as_ref().map(|field| value_of(pod, &field.field_path));
            files.insert(field.path.clone(), value.unwrap_or_default().into_bytes());
        }
    }
    Ok(files)
}

/// A field of the pod, as the downward API tells it.
pub(super) fn value_of(pod: &Pod, field: &str) -> String {
    let spec = pod.spec.as_ref();
    match field {
        "metadata.name" => pod.name_any(),
        "metadata.namespace" => pod.namespace().unwrap_or_default(),
        "metadata.uid" => pod.uid().unwrap_or_default(),
        "spec.nodeName" => super::NODE.to_owned(),
        "spec.serviceAccountName" => {
            spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default()
        }
        _ => String::new(),
    }
}

async fn config_map(client: &Client, pod: &Pod, name: &str, items: Option<&[KeyToPath]>) -> Result<Files> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let map = api.get(name).await.with_context(|| format!("ConfigMap {name}"))?;
    let texts = map.data.into_iter().flatten().map(|(key, text)| (key, text.into_bytes()));
    let bytes = map.binary_data.into_iter().flatten().map(|(key, ByteString(bytes))| (key, bytes));
    Ok(chosen(texts.chain(bytes).collect(), items))
}

async fn secret(client: &Client, pod: &Pod, name: &str, items: Option<&[KeyToPath]>) -> Result<Files> {
    let api: Api<Secret> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let secret = api.get(name).await.with_context(|| format!("Secret {name}"))?;
    let data = secret.data.into_iter().flatten().map(|(key, ByteString(bytes))| (key, bytes));
    Ok(chosen(data.collect(), items))
}

fn chosen(mut files: Files, items: Option<&[KeyToPath]>) -> Files {
    let Some(items) = items else { return files };
    items.iter().filter_map(|item| Some((item.path.clone(), files.remove(&item.key)?))).collect()
}

/// A token of the pod's service account.
pub(super) async fn token(client: &Client, pod: &Pod) -> Result<String> {
    let account = value_of(pod, "spec.serviceAccountName");
    let account = if account.is_empty() { "default".to_owned() } else { account };
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let request = TokenRequest { spec: Some(TokenRequestSpec::default()), ..TokenRequest::default() };
    let answer = api
        .create_token_request(&account, &PostParams::default(), &request)
        .await
        .with_context(|| format!("no token of the service account {account}"))?;
    answer.status.and_then(|status| status.token).context("the answer has no token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_choose_and_rename() {
        let files: Files = [("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])].into();
        let item = KeyToPath { key: "b".into(), path: "sub/c".into(), mode: None };
        assert_eq!(chosen(files.clone(), Some(&[item])), [("sub/c".to_owned(), vec![2])].into());
        assert_eq!(chosen(files.clone(), None), files);
        assert_eq!(inside(Path::new("/root"), "/opt/flink/conf"), Path::new("/root/opt/flink/conf"));
    }
}
