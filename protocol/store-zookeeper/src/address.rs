//! What `tidegate.store` says: servers, the root node, and where the secrets lie.

use std::fmt;

use rustls::pki_types::ServerName;
use tidegate_store::Error;

use crate::credentials::Digest;
use crate::tls::Files;

const SCHEME: &str = "zookeeper://";
const DEFAULT_PORT: u16 = 2181;
const EXAMPLE: &str =
    "write zookeeper://host:port,host:port/path, like zookeeper://zk1:2181,zk2:2181/tidegate";
const OPTIONS: &str = "the options are auth-file, auth-env, ca-file, cert-file and key-file";

/// A URL like `zookeeper://zk1:2181,zk2:2181/tidegate?auth-file=/etc/tidegate/zookeeper`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) servers: Vec<Server>,
    /// The path of the root node; empty for `/`.
    root: String,
    /// Where the credentials are.
    pub(crate) digest: Option<Digest>,
    /// Where the certificates are; without them the connection is not encrypted.
    pub(crate) tls: Option<Files>,
    /// As it was given.
    url: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Server {
    /// For a connection.
    pub(crate) fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Whether a certificate can be for this host.
    fn is_certified(&self) -> bool {
        ServerName::try_from(self.host.as_str()).is_ok()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        // A password must not be printed; nobody knows where in such a text it is.
        if url.contains('@') {
            let way_out = "put user:password into a file and add ?auth-file=<its path>";
            return Err(refused("zookeeper://…", "it has credentials in it", way_out));
        }
        // Nor what options say: one that does not exist may have been meant to hold it.
        let bare = url.split_once('?').map_or(url, |(bare, _)| bare);
        let Some(rest) = url.strip_prefix(SCHEME) else {
            return Err(refused(bare, "it is no URL of ZooKeeper", EXAMPLE));
        };
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = match place.find('/') {
            Some(slash) => place.split_at(slash),
            None => (place, ""),
        };
        let servers: Option<Vec<Server>> = hosts.split(',').map(server).collect();
        let Some(servers) = servers else {
            return Err(refused(bare, "a host or port in it is wrong", EXAMPLE));
        };
        let root = path.trim_end_matches('/').to_owned();
        if !root.is_empty() && !root[1..].split('/').all(is_node_name) {
            return Err(refused(bare, "its path cannot be that of a node", EXAMPLE));
        }
        let mut address = Self { servers, root, digest: None, tls: None, url: url.to_owned() };
        address.read_options(options).map_err(|reason| refused(bare, &reason, OPTIONS))?;
        if let (Some(_), Some(server)) = (&address.tls, address.servers.iter().find(|it| !it.is_certified()))
        {
            let reason = format!("no certificate can name its host {server}");
            return Err(refused(bare, &reason, "name it as its certificate does"));
        }
        Ok(address)
    }

    fn read_options(&mut self, options: &str) -> Result<(), String> {
        let mut files: [Option<&str>; 3] = [None; 3];
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if value.is_empty() {
                return Err(format!("its option {name} has no value"));
            }
            let twice = match name {
                "auth-file" => self.digest.replace(Digest::File(value.into())).is_some(),
                "auth-env" => self.digest.replace(Digest::Variable(value.to_owned())).is_some(),
                "ca-file" => files[0].replace(value).is_some(),
                "cert-file" => files[1].replace(value).is_some(),
                "key-file" => files[2].replace(value).is_some(),
                _ => return Err(format!("it has an unknown option {name}")),
            };
            if twice {
                return Err(format!("its option {name} says again what is said already"));
            }
        }
        self.tls = match files {
            [None, None, None] => None,
            [Some(ca), None, None] => Some(Files { ca: ca.into(), own: None }),
            [Some(ca), Some(certificate), Some(key)] => {
                Some(Files { ca: ca.into(), own: Some((certificate.into(), key.into())) })
            }
            _ => return Err("its cert-file and key-file need each other, and ca-file".to_owned()),
        };
        Ok(())
    }

    /// Looks once whether the files can be used, so that a mistake is told at once.
    pub(crate) fn check_files(&self) -> Result<(), Error> {
        let way_out = "correct the file or the option";
        let digest = self.digest.as_ref().map_or(Ok(()), |digest| digest.read().map(|_| ()));
        let tls = self.tls.as_ref().map_or(Ok(()), |files| files.read().map(|_| ()));
        digest.and(tls).map_err(|reason| refused(&self.url, &reason, way_out))
    }

    /// As it was given; there are no secrets in it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `/` or the path without a slash at its end.
    pub(crate) fn root(&self) -> &str {
        if self.root.is_empty() { "/" } else { &self.root }
    }

    /// The path of a node below the root.
    pub(crate) fn below(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    /// `host:port,host:port`, as `zkCli.sh -server` takes it.
    pub(crate) fn hosts(&self) -> String {
        self.servers.iter().map(Server::to_string).collect::<Vec<_>>().join(",")
    }

    /// A node, for messages.
    pub(crate) fn place(&self, path: &str) -> String {
        format!("{SCHEME}{}{path}", self.hosts())
    }
}

fn server(text: &str) -> Option<Server> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok().filter(|port| *port > 0))?;
    let good = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
    let host = (!host.is_empty() && host.chars().all(good)).then(|| host.to_owned())?;
    Some(Server { host, port })
}

fn is_node_name(name: &str) -> bool {
    // Private use and what is no character, which ZooKeeper forbids.
    let strange = |c| matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}') || char::is_control(c);
    !name.is_empty() && name != "." && name != ".." && !name.chars().any(strange)
}

fn refused(store: &str, reason: &str, way_out: &str) -> Error {
    Error::NotAStore {
        store: store.to_owned(),
        reason: reason.to_owned(),
        way_out: way_out.to_owned(),
        cause: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_servers_and_a_node() {
        for (url, hosts, root) in [
            ("zookeeper://zk1:2181,zk2:2182/tidegate", "zk1:2181,zk2:2182", "/tidegate"),
            ("zookeeper://zk1", "zk1:2181", "/"),
            ("zookeeper://zk1/", "zk1:2181", "/"),
            ("zookeeper://10.0.0.1:1/a/b c/", "10.0.0.1:1", "/a/b c"),
            ("zookeeper://[::1]:9,[fe80::1%eth0]/a", "[::1]:9,[fe80::1%eth0]:2181", "/a"),
        ] {
            let address = Address::parse(url).expect(url);
            assert_eq!((address.hosts().as_str(), address.root(), address.url()), (hosts, root, url));
        }
        let address = Address::parse("zookeeper://zk1/").expect("a root");
        assert_eq!(address.below("orders"), "/orders");
        assert_eq!(address.place("/orders"), "zookeeper://zk1:2181/orders");
    }

    #[test]
    fn what_is_no_url_is_refused_with_an_example() {
        for url in [
            "",
            "zookeeper:",
            "zookeeper://",
            "zookeeper:///a",
            "zookeeper://zk1:0/a",
            "zookeeper://zk1:65536/a",
            "zookeeper://zk1:/a",
            "zookeeper://zk1,/a",
            "zookeeper://zk 1/a",
            "zookeeper://[::1/a",
            "zookeeper://zk1//a",
            "zookeeper://zk1/a/../b",
            "zookeeper://zk1/a\0",
            "zookeeper://zk1/a\u{e000}",
            "directory:///a",
        ] {
            let error = Address::parse(url).expect_err(url);
            assert_eq!(error.code(), "StoreNotAStore", "{url}");
            assert!(error.to_string().contains("zookeeper://zk1:2181,zk2:2181/tidegate"), "{error}");
        }
    }

    #[test]
    fn options_name_files() {
        let url = "zookeeper://zk1/a?auth-file=/auth&ca-file=/ca&cert-file=/cert&key-file=/key";
        let address = Address::parse(url).expect(url);
        assert_eq!(address.digest, Some(Digest::File("/auth".into())));
        let own = Some(("/cert".into(), "/key".into()));
        assert_eq!(address.tls, Some(Files { ca: "/ca".into(), own }));
        for (options, reason) in [
            ("auth-file", "auth-file has no value"),
            ("user=me", "unknown option user"),
            ("password=kipper", "unknown option password"),
            ("auth-file=/a&auth-env=A", "auth-env says again"),
            ("ca-file=/a&ca-file=/b", "ca-file says again"),
            ("cert-file=/a&key-file=/b", "need each other, and ca-file"),
            ("ca-file=/a&key-file=/b", "need each other, and ca-file"),
        ] {
            let error = Address::parse(&format!("zookeeper://zk1/a?{options}")).expect_err(options);
            let text = error.to_string();
            assert!(text.contains(reason) && text.contains("the options are"), "{text}");
            assert!(!text.contains("kipper"), "{text}");
        }
    }

    #[test]
    fn with_tls_a_host_is_one_that_a_certificate_can_name() {
        for host in ["zk1", "zk-1.example.org", "10.0.0.1", "[::1]"] {
            Address::parse(&format!("zookeeper://{host}/a?ca-file=/ca")).expect(host);
        }
        for host in ["[fe80::1%eth0]", "zk1..b", "-zk"] {
            let error = Address::parse(&format!("zookeeper://zk1,{host}/a?ca-file=/ca")).expect_err(host);
            let text = error.to_string();
            assert!(text.contains("no certificate can name its host") && text.contains(host), "{text}");
            Address::parse(&format!("zookeeper://{host}/a")).expect(host);
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        for url in [
            "zookeeper://me:kipper@zk1/a",
            "zookeeper://zk1,me:kipper@zk2/a",
            "zookeeper:/me:kipper@zk1",
            "zookeeper://x?a=sword@kipper",
        ] {
            let text = Address::parse(url).expect_err("credentials").to_string();
            assert!(text.contains("auth-file") && !text.contains("kipper"), "{text}");
        }
    }
}
