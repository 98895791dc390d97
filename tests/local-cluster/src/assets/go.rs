//! Building the binaries from the pinned Go module, once for all processes that share a target directory.
//!
//! A finished build appears under its final name by one rename, so an interrupted one is never taken for complete.
//! That name is derived from `go.mod`, `go.sum` and what the linker is told: other pins or other flags are another build.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{NAMES, is_executable};
use crate::error::file;
use crate::process::tail;
use crate::progress::Progress;
use crate::{Error, Process};

/// How often a waiting person hears of the progress.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// The name of etcd's binary as go makes it: the last part of its package's path.
const ETCD_AS_BUILT: &str = "server";

/// The module that gives the programs their version.
const KUBERNETES: &str = "k8s.io/kubernetes";

/// The packages that tell it: that of the API server and of `kubectl version`, and that of the user agent.
const VERSION_PACKAGES: [&str; 2] = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];

/// How much of go's output a failure shows, in lines.
const OUTPUT_LINES: usize = 40;

/// The name of the build of this module on this kind of machine.
pub(super) fn key(module: &Path) -> Result<String, Error> {
    // FNV-1a: the same in every release of every toolchain, so a cached build stays valid.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for name in ["go.mod", "go.sum"] {
        let path = module.join(name);
        add(&fs::read(&path).map_err(file("read", &path))?);
    }
    add(linker_flags(module)?.as_bytes());
    Ok(format!("{}-{}-{hash:016x}", env::consts::OS, env::consts::ARCH))
}

/// What go tells its linker: to leave out symbols, and which version the programs are. Kubernetes' own build takes that
/// from git, which a module has not; untold, the API server calls itself v0.0.0, which every `kubeVersion` of a Helm
/// chart refuses.
fn linker_flags(module: &Path) -> Result<String, Error> {
    let path = module.join("go.mod");
    let pins = fs::read_to_string(&path).map_err(file("read", &path))?;
    let [version, major, minor] =
        pins.lines().find_map(kubernetes_version).ok_or(Error::NoVersion { module: module.to_owned() })?;
    let values = [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor)];
    let told =
        VERSION_PACKAGES.iter().flat_map(|package| values.map(|(name, value)| format!(" -X {package}.{name}={value}")));
    Ok(format!("-s -w{}", told.collect::<String>()))
}

/// The version that this line of a `go.mod` requires of Kubernetes, whole (`v1.36.3`), its major and its minor number.
fn kubernetes_version(line: &str) -> Option<[&str; 3]> {
    let mut words = line.trim_start().trim_start_matches("require ").split_whitespace();
    let version = words.next().filter(|module| *module == KUBERNETES).and_then(|_| words.next())?;
    let (major, rest) = version.strip_prefix('v')?.split_once('.')?;
    let (minor, _) = rest.split_once('.')?;
    Some([version, major, minor])
}

/// One build to be made.
#[derive(Debug)]
pub(super) struct Build<'a> {
    /// The go program.
    pub(super) go: &'a OsStr,
    /// The directory of the `go.mod`.
    pub(super) module: &'a Path,
    /// The directory that will hold the binaries; it does not exist before they are complete.
    pub(super) into: &'a Path,
}

impl Build<'_> {
    /// Makes the build unless another process makes it first. `missing` names what it is for.
    pub(super) fn run(&self, missing: &str, progress: &mut Progress<'_>) -> Result<(), Error> {
        if let Some(parent) = self.into.parent() {
            fs::create_dir_all(parent).map_err(file("create the directory", parent))?;
        }
        let _lock = self.lock(progress)?;
        if self.is_complete() {
            return Ok(());
        }
        let partial = self.beside("partial");
        remove(&partial)?;
        self.compile(&partial, missing, progress)?;
        self.publish(&partial)
    }

    fn is_complete(&self) -> bool {
        NAMES.iter().all(|name| is_executable(&self.into.join(name)))
    }

    /// Waits for the lock. The kernel releases it when its holder ends, in whatever way.
    fn lock(&self, progress: &mut Progress<'_>) -> Result<File, Error> {
        let path = self.beside("lock");
        let lock = File::create(&path).map_err(file("create", &path))?;
        let mut clock = Clock::start();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => {
                    clock.report(progress, "waiting for another process that builds the control plane");
                    thread::sleep(Duration::from_millis(200));
                }
                Err(TryLockError::Error(source)) => return Err(file("lock", &path)(source)),
            }
        }
    }

    fn compile(&self, partial: &Path, missing: &str, progress: &mut Progress<'_>) -> Result<(), Error> {
        let log = self.beside("log");
        remove(&log)?;
        let mut command = Command::new(self.go);
        command
            .current_dir(self.module)
            .args(["build", "-trimpath", "-ldflags", &linker_flags(self.module)?, "-o"])
            // The trailing separator tells go that it is a directory.
            .arg(partial.join(""))
            .arg("tool")
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .env_remove("GOOS")
            .env_remove("GOARCH");
        let mut go = Process::spawn(command, &log).map_err(|error| match error {
            Error::Process { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Error::GoMissing { missing: missing.to_owned() }
            }
            other => other,
        })?;
        progress(&format!(
            "building {missing} from {}; four to six minutes on two cores the first time",
            self.module.join("go.mod").display()
        ));
        let mut clock = Clock::start();
        let status = loop {
            match go.wait(Duration::from_millis(200))? {
                Some(status) => break status,
                None => clock.report(progress, "building the control plane"),
            }
        };
        if status.success() {
            progress(&format!("built in {} s", clock.started.elapsed().as_secs()));
            Ok(())
        } else {
            Err(Error::Build { module: self.module.to_owned(), status, output: tail(&log, OUTPUT_LINES) })
        }
    }

    fn publish(&self, partial: &Path) -> Result<(), Error> {
        let as_built = partial.join(ETCD_AS_BUILT);
        if as_built.exists() {
            fs::rename(&as_built, partial.join("etcd")).map_err(file("rename", &as_built))?;
        }
        if let Some(binary) = NAMES.into_iter().find(|name| !is_executable(&partial.join(name))) {
            return Err(Error::NotBuilt { module: self.module.to_owned(), binary });
        }
        // Only an incomplete directory can be in the way, such as one somebody deleted a file from.
        remove(self.into)?;
        fs::rename(partial, self.into).map_err(file("rename", partial))
    }

    /// A path beside the finished build, with its name and this extension.
    fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.into.as_os_str().to_owned();
        name.push(".");
        name.push(extension);
        PathBuf::from(name)
    }
}

/// Reports at intervals how long something has taken.
#[derive(Debug)]
struct Clock {
    started: Instant,
    reported: Instant,
}

impl Clock {
    fn start() -> Self {
        let now = Instant::now();
        Self { started: now, reported: now }
    }

    fn report(&mut self, progress: &mut Progress<'_>, doing: &str) {
        if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            progress(&format!("{doing}: {} s", self.started.elapsed().as_secs()));
        }
    }
}

/// Removes a file or a directory; one that is not there is no error.
fn remove(path: &Path) -> Result<(), Error> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Directory, for_test, stand_in};

    /// A module, a cache, and a stand-in for go that runs a script with `$out` set and counts its runs.
    struct Workshop {
        root: Directory,
    }

    /// What go does when all is well.
    const MAKES_ALL: &str = "for name in server kube-apiserver kube-controller-manager kubectl; do
        printf x > $out/$name; chmod +x $out/$name; done";

    impl Workshop {
        fn new(script: &str) -> Self {
            let root = for_test();
            fs::write(root.path().join("go.mod"), "module x\nrequire k8s.io/kubernetes v1.36.3 // indirect").unwrap();
            fs::write(root.path().join("go.sum"), "pins 1").unwrap();
            let workshop = Self { root };
            workshop.replace_go(script);
            workshop
        }

        fn replace_go(&self, script: &str) {
            // The sixth argument is the output directory, which go creates.
            let script = format!("out=$6\nmkdir -p $out\necho run >> {}\n{script}\n", self.runs().display());
            stand_in(self.root.path(), "go", &script);
        }

        fn runs(&self) -> PathBuf {
            self.root.path().join("runs")
        }

        fn destination(&self) -> PathBuf {
            self.root.path().join("cache").join(key(self.root.path()).unwrap())
        }

        fn build(&self) -> Result<(), Error> {
            let go = self.root.path().join("go");
            Build { go: go.as_os_str(), module: self.root.path(), into: &self.destination() }.run("etcd", &mut |_| ())
        }

        fn run_count(&self) -> usize {
            fs::read_to_string(self.runs()).unwrap_or_default().lines().count()
        }
    }

    #[test]
    fn a_build_holds_every_binary_under_its_usual_name() {
        let workshop = Workshop::new(MAKES_ALL);
        workshop.build().unwrap();
        let mut names: Vec<_> = fs::read_dir(workshop.destination())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, NAMES);
    }

    #[test]
    fn other_pins_are_another_build() {
        let workshop = Workshop::new(MAKES_ALL);
        workshop.build().unwrap();
        let mut seen = vec![workshop.destination()];
        for (name, content) in [("go.mod", "module y\nrequire k8s.io/kubernetes v1.36.3"), ("go.sum", "pins 2")] {
            fs::write(workshop.root.path().join(name), content).unwrap();
            assert!(!seen.contains(&workshop.destination()), "{name}");
            seen.push(workshop.destination());
            workshop.build().unwrap();
        }
        assert_eq!(workshop.run_count(), 3);
    }

    #[test]
    fn the_programs_are_told_the_version_that_is_pinned() {
        let workshop = Workshop::new(&format!("printf '%s' \"$4\" > $out/../told\n{MAKES_ALL}"));
        fs::write(workshop.root.path().join("go.mod"), "require (\n\tk8s.io/kubernetes v1.37.0-rc.1 // indirect\n)")
            .unwrap();
        workshop.build().unwrap();
        assert_eq!(
            fs::read_to_string(workshop.root.path().join("cache/told")).unwrap(),
            "-s -w -X k8s.io/component-base/version.gitVersion=v1.37.0-rc.1 -X k8s.io/component-base/version.gitMajor=1 \
             -X k8s.io/component-base/version.gitMinor=37 -X k8s.io/client-go/pkg/version.gitVersion=v1.37.0-rc.1 \
             -X k8s.io/client-go/pkg/version.gitMajor=1 -X k8s.io/client-go/pkg/version.gitMinor=37"
        );
    }

    #[test]
    fn pins_without_a_version_of_kubernetes_are_refused() {
        let root = for_test();
        for pins in ["", "require k8s.io/kubernetes", "require k8s.io/kubernetes master", "k8s.io/kubernetes-x v1.36.3"]
        {
            fs::write(root.path().join("go.mod"), pins).unwrap();
            fs::write(root.path().join("go.sum"), "").unwrap();
            let error = key(root.path()).unwrap_err();
            assert!(matches!(error, Error::NoVersion { .. }), "{pins}: {error}");
        }
    }

    #[test]
    fn a_failed_build_shows_what_go_said_and_leaves_nothing_that_looks_complete() {
        let workshop = Workshop::new("printf x > $out/server; echo 'no space left on device' >&2; exit 1");
        let error = workshop.build().unwrap_err();
        assert!(matches!(error, Error::Build { .. }), "{error}");
        assert!(error.to_string().contains("no space left on device"), "{error}");
        assert!(!workshop.destination().exists());
        workshop.replace_go(MAKES_ALL);
        workshop.build().unwrap();
        assert!(workshop.destination().join("etcd").exists());
    }

    #[test]
    fn what_an_interrupted_build_left_is_thrown_away() {
        let workshop = Workshop::new(MAKES_ALL);
        let partial = PathBuf::from(format!("{}.partial", workshop.destination().display()));
        fs::create_dir_all(&partial).unwrap();
        fs::write(partial.join("rubbish"), "").unwrap();
        workshop.build().unwrap();
        assert!(!workshop.destination().join("rubbish").exists());
        assert!(!partial.exists());
    }

    #[test]
    fn a_module_without_one_of_the_tools_is_named() {
        let workshop = Workshop::new("printf x > $out/kubectl; chmod +x $out/kubectl");
        let error = workshop.build().unwrap_err();
        assert!(matches!(error, Error::NotBuilt { binary: "etcd", .. }), "{error}");
        assert!(!workshop.destination().exists());
    }

    #[test]
    fn without_go_the_reader_learns_what_to_install() {
        let workshop = Workshop::new(MAKES_ALL);
        fs::remove_file(workshop.root.path().join("go")).unwrap();
        let error = workshop.build().unwrap_err().to_string();
        assert!(error.contains("etcd not found") && error.contains("https://go.dev/dl"), "{error}");
    }

    #[test]
    fn two_at_once_build_once() {
        let workshop = Workshop::new(&format!("sleep 0.5\n{MAKES_ALL}"));
        thread::scope(|scope| {
            let other = scope.spawn(|| workshop.build());
            workshop.build().unwrap();
            other.join().unwrap().unwrap();
        });
        assert_eq!(workshop.run_count(), 1);
    }
}
