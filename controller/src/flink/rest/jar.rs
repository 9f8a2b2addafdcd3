//! Jars, uploaded once per content: an uploaded jar is called by its digest.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method};
use ring::digest::{Context, SHA256};

use super::http::Http;
use super::{answer, hexadecimal};
use crate::flink::{Error, Problem};

/// How every jar begins: it is a zip archive.
const MAGIC: &[u8] = b"PK\x03\x04";

/// A jar that was opened; what is uploaded is what was read.
struct Local {
    file: File,
    digest: String,
    bytes: u64,
}

/// Has the cluster have the jar, and tells by which id it runs it.
pub(super) async fn upload(http: &Http, asked: &str, jar: &str) -> Result<String, Error> {
    let unreadable = |reason| http.error(asked, Problem::Jar { jar: jar.to_owned(), reason });
    let path = path(jar).map_err(unreadable)?;
    let opened = tokio::task::spawn_blocking(move || open(&path)).await;
    let opened = opened.map_err(|error| unreadable(error.to_string()))?;
    let Local { file, digest, bytes } = opened.map_err(unreadable)?;
    let name = format!("tidegate-{digest}.jar");
    let answer::Jars { files } =
        http.get(asked, "/jars").await.map_err(|error| no_jars(http, asked, error))?;
    if let Some(there) = files.into_iter().find(|there| there.name == name) {
        return Ok(there.id);
    }
    let content =
        Part::stream_with_length(Body::from(tokio::fs::File::from_std(file)), bytes).file_name(name);
    let content =
        content.mime_str("application/x-java-archive").map_err(|error| unreadable(error.to_string()))?;
    let request = http.request(Method::POST, "/jars/upload").multipart(Form::new().part("jarfile", content));
    let uploaded: answer::Uploaded = http.send(asked, request, http.deadlines.upload, false).await?;
    Ok(uploaded.filename.rsplit(['/', '\\']).next().unwrap_or_default().to_owned())
}

/// Without flink-runtime-web, or with web.submit.enable false, there is no such path.
fn no_jars(http: &Http, asked: &str, error: Error) -> Error {
    let absent = matches!(error.problem(), Problem::Refused { status: 404, .. });
    if absent { http.error(asked, Problem::NoSubmission) } else { error }
}

fn path(jar: &str) -> Result<PathBuf, String> {
    let path = match jar.split_once(':') {
        Some(("file", rest)) => Path::new(rest.strip_prefix("//").unwrap_or(rest)),
        Some((scheme, _)) if !scheme.contains('/') => return Err(format!("{scheme}: is not read here")),
        Some(_) | None => Path::new(jar),
    };
    if path.is_absolute() { Ok(path.to_owned()) } else { Err("it is not an absolute path".to_owned()) }
}

fn open(path: &Path) -> Result<Local, String> {
    let read = || {
        let mut file = File::open(path)?;
        let mut context = Context::new(&SHA256);
        let mut head = Vec::new();
        let mut bytes = 0;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            let missing = MAGIC.len().saturating_sub(head.len()).min(count);
            head.extend_from_slice(&buffer[..missing]);
            context.update(&buffer[..count]);
            bytes += count as u64;
        }
        file.rewind()?;
        Ok((Local { file, digest: hexadecimal(context.finish().as_ref()), bytes }, head))
    };
    let (local, head) = read().map_err(|error: std::io::Error| error.to_string())?;
    if head == MAGIC { Ok(local) } else { Err("it is not a jar".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jar_is_an_absolute_path_or_a_file_uri() {
        for good in ["/jobs/orders.jar", "file:/jobs/orders.jar", "file:///jobs/orders.jar"] {
            assert_eq!(path(good).unwrap(), Path::new("/jobs/orders.jar"), "{good}");
        }
        assert_eq!(path("/jobs/a:b.jar").unwrap(), Path::new("/jobs/a:b.jar"));
        for bad in
            ["orders.jar", "", "local:///opt/orders.jar", "https://jobs/orders.jar", "file://host/orders.jar"]
        {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_jar_is_not_uploaded() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            open(&path)
        };
        assert_eq!(file("a", b"PK").err().as_deref(), Some("it is not a jar"));
        assert_eq!(file("b", b"<html>").err().as_deref(), Some("it is not a jar"));
        let jar = file("c", b"PK\x03\x04").unwrap();
        assert_eq!((jar.bytes, jar.digest.len()), (4, 64));
        assert!(open(folder.path()).is_err() && open(&folder.path().join("d")).is_err());
    }
}
