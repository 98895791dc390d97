//! `make demo`: what the operator does for a partner, told with kubectl on a real control plane.
//!
//! * `story` is the demo itself, one function per step, and reads like what appears on the screen;
//! * `shell` runs the commands that a person or a pipeline would type, and waits for what follows from them;
//! * `screen` prints;
//! * `failure` is why a step is not true.
//!
//! Nothing here is pretended: every step waits until what it says has happened, in Kubernetes or in the simulator.

mod failure;
mod screen;
mod shell;
mod story;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use stage::{Programs, Stage, World};

use failure::Failure;
use screen::Screen;
use shell::Shell;

/// How much of the operator's log a failure shows, in lines.
const LOG_LINES: usize = 25;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut screen = Screen::new();
    let outcome = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => demo(&mut screen, End::UntilInterrupted).await,
        [once] if once == "--once" => demo(&mut screen, End::AtOnce).await,
        _ => Err(Failure::Usage),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "\ndemo: failed: {}", failure.chain());
            ExitCode::FAILURE
        }
    }
}

/// What follows after the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    AtOnce,
    UntilInterrupted,
}

/// Until the last step Ctrl-C ends this process on the spot, and the shell that `local_cluster` keeps beside it takes
/// down everything it started.
async fn demo(screen: &mut Screen, end: End) -> Result<(), Failure> {
    let began = Instant::now();
    rustls::crypto::ring::default_provider().install_default().map_err(|_| Failure::Tls)?;
    let programs = std::env::current_exe().ok().and_then(|me| Programs::beside(&me)).ok_or(Failure::NotBuilt)?;
    screen.say(
        "Starting etcd, kube-apiserver and kube-controller-manager, a simulated Partner Center, and the operator.",
    )?;
    let world = stage::root().join("examples/demo/world.yaml");
    let mut stage = Stage::start("demo", &programs, &World::File(world))?;
    // Nobody in the story has asked for either; examples/situations, which may be applied after it, have.
    // A lease as an installation has it: a short one is lost on a busy machine, and whoever is looking around would lose everything with it.
    stage.operator.start(&["--allow-owner-assignment", "--allow-plan-purchase", "--lease-duration", "30s"])?;

    let told = story::tell(&Shell::new(&stage, &programs), screen).await;
    screen.say(&format!("\nThat took {} s.", began.elapsed().as_secs()))?;
    let told = match told {
        Ok(()) if end == End::UntilInterrupted => stay(&mut stage, &programs, screen).await,
        told => told,
    };
    told.map_err(|failure| failure.with_log(last_lines(&stage.operator.log())))?;

    stage.operator.stop()?;
    drop(stage);
    screen.say("Everything is taken down.\ndemo: ok")?;
    Ok(())
}

/// Says how to go on, and waits for Ctrl-C.
async fn stay(stage: &mut Stage, programs: &Programs, screen: &mut Screen) -> Result<(), Failure> {
    story::epilogue(&Shell::new(stage, programs), screen)?;
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.map_err(Failure::Signal)?;
                return Ok(screen.say("")?);
            }
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        if !stage.operator.is_running()? {
            return Err(Failure::unmet("the operator has ended by itself"));
        }
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
