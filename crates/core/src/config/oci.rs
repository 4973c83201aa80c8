//! The options of a registry client by a configuration.

use super::Config;
use crate::error::Result;
use crate::registry::oci::{OciOptions, Scheme};

impl Config {
    /// The options of an [`OciRegistry`](crate::registry::oci::OciRegistry), with the settings that this file has for
    /// each registry; every other option has its default.
    pub fn oci_options(&self) -> Result<OciOptions> {
        let mut options = OciOptions::new();
        for (host, registry) in &self.registries {
            if let (Some(user), Some(password)) = (&registry.user_env, &registry.password_env) {
                options = options.login_variables(host, user, password);
            }
            for token_server in &registry.token_servers {
                options = options.token_server_of(host, token_server);
            }
            if let Some(file) = &registry.ca_file {
                options = options.ca_file_on(host, file);
            }
            if let (Some(certificate), Some(key)) = (&registry.client_cert, &registry.client_key) {
                options = options.client_certificate_on(host, certificate, key);
            }
            if let Some(time) = registry.retry_for {
                options = options.retry_for_on(host, time);
            }
            if let Some(tls) = registry.tls {
                options = options.scheme(host, if tls { Scheme::Https } else { Scheme::Http });
            }
        }
        Ok(options)
    }
}
