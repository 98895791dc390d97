//! The four binaries a control plane needs, and where they come from.
//!
//! Each is looked for in the directory named by `KUBEBUILDER_ASSETS` (the public convention, which has no
//! kube-controller-manager), then in the cache under cargo's target directory. What is in neither is built, with Go,
//! from the `go.mod` beside this crate, which pins every version; the next look-up finds it in the cache.

mod go;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::Error;
pub use crate::progress::{Progress, to_stderr};

/// The environment variable that names a directory of binaries to prefer.
pub const ASSETS_VARIABLE: &str = "KUBEBUILDER_ASSETS";

/// Where the binaries are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    /// The key-value store behind the API server.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// Garbage collection, namespace deletion, service accounts.
    pub kube_controller_manager: PathBuf,
    /// The command line client.
    pub kubectl: PathBuf,
}

/// The names of the binaries, as files.
const NAMES: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"];

impl Assets {
    /// Finds the binaries, building what is missing: minutes the first time, milliseconds afterwards. When another
    /// process is building already, waits for it.
    ///
    /// `progress` hears what takes long, with the seconds gone by.
    ///
    /// # Errors
    /// [`Error::GoMissing`], [`Error::Build`], [`Error::NotBuilt`], or [`Error::File`] when the cache cannot be written.
    pub fn find(progress: &mut Progress<'_>) -> Result<Self, Error> {
        let module = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cache = target_directory().join("local-cluster").join(go::key(module)?);
        let preferred = env::var_os(ASSETS_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        find_in(preferred.as_deref(), &cache, &mut |missing| {
            go::Build { go: OsStr::new("go"), module, into: &cache }.run(missing, progress)
        })
    }
}

/// The look-up order, apart from where the directories come from and how a build is made. `build` hears what is missing
/// and fills `cache`.
fn find_in(
    preferred: Option<&Path>,
    cache: &Path,
    build: &mut dyn FnMut(&str) -> Result<(), Error>,
) -> Result<Assets, Error> {
    let look = |name: &str| {
        preferred.into_iter().chain([cache]).map(|directory| directory.join(name)).find(|path| is_executable(path))
    };
    let missing: Vec<_> = NAMES.into_iter().filter(|name| look(name).is_none()).collect();
    if !missing.is_empty() {
        build(&missing.join(", "))?;
    }
    let path = |name: &str| look(name).unwrap_or_else(|| cache.join(name));
    let [etcd, kube_apiserver, kube_controller_manager, kubectl] = NAMES.map(path);
    Ok(Assets { etcd, kube_apiserver, kube_controller_manager, kubectl })
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Cargo's target directory: the nearest directory above the running program in which cargo keeps its notes, so that
/// every way of configuring it is honoured; for a program run from elsewhere, the workspace's default.
fn target_directory() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    program.ancestors().find(|above| above.join(".rustc_info.json").is_file()).map_or(workspace, Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::for_test;

    fn put(directory: &Path, names: &[&str], mode: u32) {
        fs::create_dir_all(directory).unwrap();
        for name in names {
            fs::write(directory.join(name), "").unwrap();
            fs::set_permissions(directory.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    /// Runs the look-up over `preferred` and `cache` in a fresh directory; returns what was found, relative to it, and
    /// what had to be built.
    fn check(preferred: &[&str], cache: &[&str]) -> ([String; 4], Option<String>) {
        let root = for_test();
        let (preferred_at, cache_at) = (root.path().join("preferred"), root.path().join("cache"));
        put(&preferred_at, preferred, 0o755);
        put(&cache_at, cache, 0o755);
        let mut built = None;
        let assets = find_in(Some(&preferred_at), &cache_at, &mut |missing| {
            built = Some(missing.to_owned());
            put(&cache_at, &NAMES, 0o755);
            Ok(())
        });
        let Assets { etcd, kube_apiserver, kube_controller_manager, kubectl } = assets.unwrap();
        let paths = [etcd, kube_apiserver, kube_controller_manager, kubectl];
        (paths.map(|path| path.strip_prefix(root.path()).unwrap().display().to_string()), built)
    }

    #[test]
    fn each_binary_is_looked_for_by_itself() {
        let (paths, built) = check(&["etcd", "kube-apiserver", "kubectl"], &NAMES);
        assert_eq!(
            paths,
            ["preferred/etcd", "preferred/kube-apiserver", "cache/kube-controller-manager", "preferred/kubectl"]
        );
        assert_eq!(built, None);
    }

    #[test]
    fn only_what_is_missing_everywhere_is_built() {
        let (paths, built) = check(&["etcd", "kubectl"], &[]);
        assert_eq!(
            paths,
            ["preferred/etcd", "cache/kube-apiserver", "cache/kube-controller-manager", "preferred/kubectl"]
        );
        assert_eq!(built.as_deref(), Some("kube-apiserver, kube-controller-manager"));
    }

    #[test]
    fn what_cannot_be_executed_does_not_count() {
        let root = for_test();
        put(root.path(), &NAMES, 0o644);
        let mut asked = false;
        find_in(None, root.path(), &mut |_| {
            asked = true;
            Ok(())
        })
        .unwrap();
        assert!(asked);
    }

    #[test]
    fn the_target_directory_is_the_one_this_test_was_built_in() {
        assert!(env::current_exe().unwrap().starts_with(target_directory()));
    }
}
