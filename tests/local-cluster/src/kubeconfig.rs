//! Kubeconfig files: who one is and where the API server is.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::Error;
use crate::error::file;

/// What a kubeconfig says.
#[derive(Debug)]
pub(crate) struct Kubeconfig<'a> {
    /// The API server's URL.
    pub(crate) server: &'a str,
    /// The certificates to trust, as a PEM file.
    pub(crate) authority: &'a Path,
    /// Only a label: the server learns the name from the token.
    pub(crate) user: &'a str,
    pub(crate) token: &'a str,
    pub(crate) namespace: &'a str,
}

impl Kubeconfig<'_> {
    /// Writes the file, as JSON, which is YAML.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let name = "local-cluster";
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": self.server, "certificate-authority": self.authority}}],
            "users": [{"name": self.user, "user": {"token": self.token}}],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": self.user, "namespace": self.namespace}},
            ],
            "current-context": name,
        });
        fs::write(path, format!("{content:#}\n")).map_err(file("write", path))
    }
}
