//! The hosts of a URL, each with how it is reached.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::open::PostgresOpenError as OpenError;
use super::settings::{PostgresSettings, PostgresTlsMode};

/// What the server calls us in its lists.
const APPLICATION: &str = "lectern";

/// One host.
pub(crate) struct Target {
    /// The host and its port, for people.
    pub(crate) name: String,
    pub(crate) config: Config,
    /// `None` if the way there is not encrypted.
    pub(crate) tls: Option<MakeRustlsConnect>,
}

/// The hosts, and what the database is called for people.
pub(crate) fn targets(settings: &PostgresSettings) -> Result<(Vec<Target>, String), OpenError> {
    let parsed: Config = settings.url.parse().map_err(|source| OpenError::Url { source: Arc::new(source) })?;
    let hosts = parsed.get_hosts();
    let Some(user) = parsed.get_user() else { return Err(OpenError::Incomplete("a user")) };
    let Some(database) = parsed.get_dbname() else { return Err(OpenError::Incomplete("a database")) };
    if hosts.is_empty() {
        return Err(OpenError::Incomplete("a host"));
    }
    let mut tls = None;
    let mut targets = Vec::with_capacity(hosts.len());
    for (at, host) in hosts.iter().enumerate() {
        let port = parsed.get_ports().get(at).or_else(|| parsed.get_ports().first()).copied().unwrap_or(5432);
        let mut config = Config::new();
        config.user(user).dbname(database).port(port).application_name(APPLICATION);
        if let Some(password) = settings.password.as_deref().map(str::as_bytes).or_else(|| parsed.get_password()) {
            config.password(password);
        }
        if let Some(options) = parsed.get_options() {
            config.options(options);
        }
        if let Some(name) = parsed.get_application_name() {
            config.application_name(name);
        }
        if let Some(address) = parsed.get_hostaddrs().get(at) {
            config.hostaddr(*address);
        }
        config.channel_binding(parsed.get_channel_binding());
        config.ssl_negotiation(parsed.get_ssl_negotiation());
        config.connect_timeout(settings.connect_timeout);
        // What was sent and is not acknowledged for so long will not be.
        config.tcp_user_timeout(settings.statement_timeout + super::settings::ANSWER_GRACE);
        let (name, near) = match host {
            Host::Tcp(name) => {
                config.host(name.clone());
                (format!("{name}:{port}"), is_loopback(name))
            }
            #[cfg(unix)]
            Host::Unix(path) => {
                config.host_path(path);
                (path.display().to_string(), true)
            }
        };
        let encrypted = match settings.tls.mode {
            PostgresTlsMode::Off => false,
            PostgresTlsMode::Required => true,
            PostgresTlsMode::Automatic => match parsed.get_ssl_mode() {
                SslMode::Disable => false,
                SslMode::Require => true,
                _ => !near,
            },
        };
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        if encrypted && tls.is_none() {
            tls = Some(connector(settings)?);
        }
        targets.push(Target { name, config, tls: tls.clone().filter(|_| encrypted) });
    }
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let name = format!("{}/{database}", names.join(","));
    Ok((targets, name))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// TLS with the certificates that the settings name, or those that this machine trusts.
fn connector(settings: &PostgresSettings) -> Result<MakeRustlsConnect, OpenError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let failed = |source| OpenError::Tls { source };
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(failed)?;
    let mut roots = RootCertStore::empty();
    match &settings.tls.root_certificates {
        Some(path) => {
            let unreadable =
                |source| OpenError::Certificates { path: path.clone(), source: Box::new(source) as Box<_> };
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                roots.add(certificate.map_err(unreadable)?).map_err(failed)?;
            }
            if roots.is_empty() {
                let source = "there is no certificate in it".into();
                return Err(OpenError::Certificates { path: path.clone(), source });
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(OpenError::NoTrust);
            }
        }
    }
    Ok(MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encrypted(url: &str, mode: PostgresTlsMode) -> Vec<bool> {
        let mut settings = PostgresSettings::new(url);
        settings.tls.mode = mode;
        let authority = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(authority.path(), lectern_conformance::servers::TLS_AUTHORITY).unwrap();
        settings.tls.root_certificates = Some(authority.path().to_owned());
        targets(&settings).unwrap().0.iter().map(|target| target.tls.is_some()).collect()
    }

    #[test]
    fn only_the_way_to_this_machine_is_not_encrypted_by_itself() {
        use PostgresTlsMode::{Automatic, Off, Required};
        for (url, mode, expected) in [
            ("postgres://u@127.0.0.1/d", Automatic, &[false][..]),
            ("postgres://u@localhost/d", Automatic, &[false]),
            ("postgres://u@%2Frun%2Fpostgresql/d", Automatic, &[false]),
            ("postgres://u@db.example/d", Automatic, &[true]),
            ("postgres://u@10.0.0.1,127.0.0.1/d", Automatic, &[true, false]),
            ("postgres://u@db.example/d?sslmode=disable", Automatic, &[false]),
            ("postgres://u@localhost/d?sslmode=require", Automatic, &[true]),
            ("postgres://u@localhost/d?sslmode=disable", Required, &[true]),
            ("postgres://u@db.example/d?sslmode=require", Off, &[false]),
        ] {
            assert_eq!(encrypted(url, mode), expected, "{url} {mode:?}");
        }
    }

    #[test]
    fn a_url_names_hosts_ports_user_and_database() {
        let (targets, name) = targets(&PostgresSettings {
            password: Some("p".to_owned()),
            tls: crate::PostgresTls { mode: PostgresTlsMode::Off, root_certificates: None },
            ..PostgresSettings::new("postgres://lectern:geheim@one:1,two:2/documents?options=-csearch_path%3Dx")
        })
        .unwrap();
        assert_eq!(name, "one:1,two:2/documents");
        let config = &targets[1].config;
        assert_eq!((config.get_user(), config.get_dbname()), (Some("lectern"), Some("documents")));
        assert_eq!((config.get_password(), config.get_options()), (Some(&b"p"[..]), Some("-csearch_path=x")));
        for (url, missing) in
            [("postgres://u@/d", "a host"), ("postgres://h/d", "a user"), ("postgres://u@h", "a database")]
        {
            let error = super::targets(&PostgresSettings::new(url)).map(drop).unwrap_err();
            assert!(error.to_string().contains(missing), "{error}");
        }
        assert!(super::targets(&PostgresSettings::new("sqlite://x")).is_err());
    }

    #[test]
    fn a_file_without_certificates_is_no_trust() {
        let mut settings = PostgresSettings::new("postgres://u@db.example/d");
        let file = tempfile::NamedTempFile::new().unwrap();
        settings.tls.root_certificates = Some(file.path().to_owned());
        assert!(matches!(targets(&settings), Err(OpenError::Certificates { .. })));
        settings.tls.root_certificates = Some("/nowhere.pem".into());
        assert!(matches!(targets(&settings), Err(OpenError::Certificates { .. })));
    }
}
