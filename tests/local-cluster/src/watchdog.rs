//! Nothing started here outlives this process, even when it is killed with SIGKILL.
//!
//! A process cannot clean up after its own SIGKILL, so a small shell does: it is told, line by line on its standard
//! input, which processes are running and which directories exist. The kernel closes that pipe whenever this process
//! ends, in whatever way; at end of file the shell kills and removes what is still listed. One shell serves the whole
//! process and needs nothing beyond POSIX, so it also works where `PR_SET_PDEATHSIG` does not exist.
//!
//! What remains: a process started in the very microseconds between its birth and its line being written.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::Error;

/// Processes are killed by group: each leads its own (see [`crate::Process`]), so whatever they started goes too.
/// Removing is tried repeatedly because a process that is being killed may still create a file meanwhile.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
pids=' '
while IFS= read -r line; do
    case $line in
    'watch-process '*)
        pids="$pids${line#watch-process } " ;;
    'forget-process '*)
        gone=${line#forget-process }
        case $pids in
        *" $gone "*)
            before=${pids%%" $gone "*}
            after=${pids#*" $gone "}
            pids="$before $after" ;;
        esac ;;
    'watch-directory '*)
        set -- "$@" "${line#watch-directory }" ;;
    'forget-directory '*)
        left=$#
        while [ "$left" -gt 0 ]; do
            [ "$1" = "${line#forget-directory }" ] || set -- "$@" "$1"
            shift
            left=$((left - 1))
        done ;;
    esac
done
for pid in $pids; do
    kill -s KILL -- "-$pid"
done
for directory do
    tries=0
    until rm -rf -- "$directory" || [ "$tries" -ge 10 ]; do
        tries=$((tries + 1))
        sleep 1
    done
done
"#;

/// The pipe to the shell; none before the first line.
static PIPE: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// From now on `pid` and its process group die with this process.
pub(crate) fn watch_process(pid: u32) -> Result<(), Error> {
    tell("watch-process ", OsStr::new(&pid.to_string()))
}

/// `pid` has ended and been waited for: its number may soon be another's.
pub(crate) fn forget_process(pid: u32) {
    // A watchdog that is gone has nothing to forget.
    let _ = tell("forget-process ", OsStr::new(&pid.to_string()));
}

/// From now on the directory is removed when this process ends.
pub(crate) fn watch_directory(path: &Path) -> Result<(), Error> {
    tell("watch-directory ", path.as_os_str())
}

/// The directory has been removed.
pub(crate) fn forget_directory(path: &Path) {
    let _ = tell("forget-directory ", path.as_os_str());
}

fn tell(verb: &str, object: &OsStr) -> Result<(), Error> {
    let line = [verb.as_bytes(), object.as_bytes(), b"\n"].concat();
    let mut pipe = PIPE.lock().unwrap_or_else(PoisonError::into_inner);
    write_to(&mut pipe, &line).map_err(|source| Error::Process {
        action: "reach",
        program: "the shell that cleans up after this process".to_owned(),
        source,
    })
}

fn write_to(pipe: &mut Option<ChildStdin>, line: &[u8]) -> io::Result<()> {
    if pipe.is_none() {
        *pipe = start()?.stdin.take();
    }
    // In one write, so that the shell never sees half a line.
    pipe.as_mut().map_or(Ok(()), |pipe| pipe.write_all(line))
}

/// Starts the shell in a process group of its own, out of reach of Ctrl-C, and holding none of this process's outputs
/// open: whoever reads those must see them end when this process ends.
fn start() -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", SCRIPT])
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::Process;
    use crate::directory::for_test;

    #[test]
    fn at_end_of_file_only_what_is_still_listed_is_killed_and_removed() {
        let root = for_test();
        let mut sleepers: Vec<_> = (0..4)
            .map(|_| {
                let mut sleep = Command::new("sleep");
                sleep.arg("100");
                Process::spawn(sleep, root.path().join("log")).unwrap()
            })
            .collect();
        let directories = ["one", "two with  spaces", "three", r"four\n"].map(|name| root.path().join(name));
        let mut lines = Vec::new();
        for (sleeper, directory) in sleepers.iter().zip(&directories) {
            fs::create_dir(directory).unwrap();
            fs::write(directory.join("content"), "").unwrap();
            writeln!(lines, "watch-process {}\nwatch-directory {}", sleeper.pid(), directory.display()).unwrap();
        }
        for forgotten in [0, 2] {
            writeln!(lines, "forget-process {}", sleepers[forgotten].pid()).unwrap();
            writeln!(lines, "forget-directory {}", directories[forgotten].display()).unwrap();
        }
        writeln!(lines, "forget-process 1\nforget-directory /never/listed").unwrap();

        let mut shell = start().unwrap();
        shell.stdin.take().unwrap().write_all(&lines).unwrap();
        assert!(shell.wait().unwrap().success());

        let killed = |process: &mut Process| process.wait(Duration::from_secs(1)).unwrap().is_some();
        assert_eq!(sleepers.iter_mut().map(killed).collect::<Vec<_>>(), [false, true, false, true]);
        assert_eq!(directories.map(|directory| directory.exists()), [true, false, true, false]);
    }
}
