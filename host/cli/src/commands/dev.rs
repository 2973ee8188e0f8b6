//! `covet dev`: build, serve, watch; each save becomes the next generation. A version that does not compile changes nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::admin::Admin;
use crate::args::Dev;
use crate::build::{self, Built};
use crate::commands::{deploy, serve};
use crate::host;
use crate::outcome::{Exit, Failure, Result};
use crate::output::{Output, seconds};
use crate::project::Project;
use crate::signals;
use crate::watch::Watch;

/// Editors save in several steps; a build begins when nothing has changed for so long.
const QUIET: Duration = Duration::from_millis(50);
/// The longest wait for that quiet.
const NEVER_QUIET: Duration = Duration::from_secs(1);

/// What the loop waits for.
#[derive(Debug)]
enum Event {
    Changed(PathBuf),
    Built(Result<Built>),
    Stop,
}

pub fn run(args: &Dev, output: Output) -> Result<()> {
    let project = Project::find(&args.path)?;
    let mut settings = host::settings(args.config.as_deref(), &args.host)?;
    // Who develops wants to see in the browser what went wrong.
    settings.config.server.expose_errors = true;
    host::log_to_stderr(settings.config.log.format);
    let token = settings.config.admin.token.clone();
    let state = settings.state.clone();
    let server = Arc::new(host::start(settings.config)?);
    serve::announce(&server, output);

    let (send, events) = mpsc::channel();
    let stop = send.clone();
    signals::on_stop(move || {
        let _ = stop.send(Event::Stop);
    })?;
    let changed = send.clone();
    let mut watch = Watch::new(&project.directory, &state, move |file| {
        let _ = changed.send(Event::Changed(file));
    })?;
    if let Some(build) = &project.build {
        watch.built_to(project.directory.join(&build.component));
    }
    let url = format!("http://{}", server.http_addr());
    let session = Session {
        admin: Admin::new(format!("http://{}", server.admin_addr()), host::token(token, &state)?),
        output,
        project,
        url,
        ready: args.ready.clone(),
        live: None,
        announced: false,
        watch,
        send,
    };
    session.run(&events);
    server.shutdown();
    server.wait();
    Ok(())
}

/// One `covet dev`, from its first build to its end.
struct Session {
    admin: Admin,
    output: Output,
    project: Project,
    url: String,
    /// What to run once the first version serves.
    ready: Option<String>,
    /// The version that serves: generation and bytes.
    live: Option<(u64, Vec<u8>)>,
    /// Whether the first version of this session has been told of.
    announced: bool,
    watch: Watch,
    send: Sender<Event>,
}

impl Session {
    fn run(mut self, events: &Receiver<Event>) {
        self.live = self.last_run();
        self.build();
        let mut building = true;
        let mut changed = false;
        while let Ok(event) = events.recv() {
            match event {
                Event::Stop => return,
                Event::Changed(file) if !self.watch.matters(&file) => {}
                Event::Changed(file) => {
                    if settle(events, building) == Settled::Stop {
                        return;
                    }
                    if !changed {
                        let shown = file.strip_prefix(&self.project.directory).unwrap_or(&file);
                        self.output.note(&format!("changed: {}", shown.display()));
                    }
                    changed = true;
                }
                Event::Built(outcome) => {
                    building = false;
                    self.swap(outcome);
                }
            }
            if changed && !building {
                (building, changed) = (true, false);
                self.build();
            }
        }
    }

    /// The generation that the host brought back up from its state, when there is one.
    fn last_run(&self) -> Option<(u64, Vec<u8>)> {
        let plugin = self.admin.get(&format!("/v1/plugins/{}", self.project.name)).ok()?;
        let generation = plugin["generation"].as_u64().filter(|_| plugin["serving"] == true)?;
        self.output.note(&format!("generation {generation} of the last run serves meanwhile"));
        // Its bytes are not known here: the first build is deployed whatever it holds.
        Some((generation, Vec::new()))
    }

    /// Builds on a thread of its own: signals and changes are heard meanwhile.
    fn build(&self) {
        let (send, directory, quiet) = (self.send.clone(), self.project.directory.clone(), self.announced);
        self.output.event(&json!({ "event": "building", "plugin": self.project.name }), || "building".to_owned());
        std::thread::spawn(move || {
            // The project is read again: plugin.toml may be what changed.
            let built = Project::find(&directory).and_then(|project| build::build(&project, quiet));
            let _ = send.send(Event::Built(built));
        });
    }

    fn swap(&mut self, outcome: Result<Built>) {
        if let Err(failure) = outcome.and_then(|built| self.deploy(&built)) {
            self.output.failure(&failure);
            self.output.note(&match &self.live {
                Some((generation, _)) => format!("generation {generation} serves on; save again when it is mended"),
                None => "nothing serves yet; save again when it is mended".to_owned(),
            });
        }
    }

    fn deploy(&mut self, built: &Built) -> Result<()> {
        self.watch.also(&built.sources);
        let wasm = std::fs::read(&built.path).map_err(Failure::io("reading", &built.path))?;
        if let Some((generation, live)) = &self.live
            && *live == wasm
        {
            self.output.note(&format!("nothing new in it: generation {generation} serves on"));
            return Ok(());
        }
        let began = Instant::now();
        let answer = deploy::put(&self.admin, &built.name, None, &wasm)?;
        let generation = answer["generation"].as_u64().unwrap_or_default();
        let event = json!({
            "event": "live", "plugin": built.name, "generation": generation, "url": self.url,
            "build_ms": built.time.as_millis() as u64, "swap_ms": began.elapsed().as_millis() as u64,
        });
        self.output.event(&event, || {
            format!(
                "live: {} generation {generation} (built in {}, swapped in {} ms)",
                built.name,
                seconds(built.time),
                began.elapsed().as_millis()
            )
        });
        self.live = Some((generation, wasm));
        if !self.announced {
            self.announced = true;
            self.first_version();
        }
        Ok(())
    }

    fn first_version(&mut self) {
        if let Some(command) = self.ready.take() {
            let ran = std::process::Command::new("sh").args(["-c", &command]).env("COVET_URL", &self.url).status();
            if !ran.is_ok_and(|status| status.success()) {
                self.output.failure(&Failure::new(Exit::Failed, "ready", format!("--ready: `{command}` failed")));
            }
        }
        let file = self.project.directory.join("src/lib.rs");
        self.output.note(&format!(
            "\nopen {}  (edit {}, save, and reload the page; Ctrl-C ends)\n",
            self.url,
            file.display()
        ));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Settled {
    Quiet,
    Stop,
}

/// Swallows the changes that follow a change, until it is quiet. During a build there is no hurry and nothing is swallowed.
fn settle(events: &Receiver<Event>, building: bool) -> Settled {
    if building {
        return Settled::Quiet;
    }
    let began = Instant::now();
    // A log that grows without end next to the sources must not hold up the build.
    while began.elapsed() < NEVER_QUIET {
        match events.recv_timeout(QUIET) {
            Ok(Event::Changed(_) | Event::Built(_)) => {}
            Ok(Event::Stop) => return Settled::Stop,
            Err(_) => break,
        }
    }
    Settled::Quiet
}
