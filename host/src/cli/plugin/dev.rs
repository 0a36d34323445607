//! `patchbay plugin dev`: build, swap, and look at what the accounts say, again at each change.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::{
    build,
    remote::{Gateway, LogLine},
    versions::{Brought, RolloutArgs},
};
use crate::manifest::Manifest;

/// An editor writes several files, or one in pieces: a build begins when nothing has changed for so long.
const SETTLED: Duration = Duration::from_millis(300);
/// How often the log is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Folders that builds and tools write into.
const PASSED_OVER: [&str; 4] = ["target", "node_modules", "__pycache__", ".git"];

/// Goes on until it is interrupted: a build that fails is told, and the version before goes on running.
pub(super) async fn dev(folder: &Path, out: &Path, gateway: &Gateway) -> anyhow::Result<()> {
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    let (tell, mut changed) = mpsc::channel(1);
    let out_folder = std::path::absolute(out)?;
    let is_source = move |path: &PathBuf| {
        !path.starts_with(&out_folder) && !path.components().any(|part| PASSED_OVER.iter().any(|name| part.as_os_str() == *name))
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the sources is an access, and must not start the next build.
        if event.is_ok_and(|event| !event.kind.is_access() && event.paths.iter().any(&is_source)) {
            // One word is enough: a build reads everything.
            let _ = tell.try_send(());
        }
    })?;
    watcher.watch(&folder, RecursiveMode::Recursive).with_context(|| folder.display().to_string())?;
    let mut log = Log::default();
    renew(&folder, out, gateway).await;
    println!("watching {}", folder.display());
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            word = changed.recv() => {
                if word.is_none() {
                    anyhow::bail!("{} isn't watched any more", folder.display());
                }
                while tokio::time::timeout(SETTLED, changed.recv()).await.is_ok_and(|word| word.is_some()) {}
                renew(&folder, out, gateway).await;
            }
            _ = look.tick() => log.show_new(&folder, gateway).await,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// Builds and swaps, or says why not.
async fn renew(folder: &Path, out: &Path, gateway: &Gateway) {
    let (source, place) = (folder.to_owned(), out.to_owned());
    let built = tokio::task::spawn_blocking(move || {
        build::build(std::slice::from_ref(&source), &place, None)?;
        let file = place.join(format!("{}.wasm", Manifest::from_folder(&source)?.id));
        std::fs::read(&file).with_context(|| file.display().to_string())
    });
    let swapped = match built.await {
        Ok(Ok(component)) => gateway.install(Brought::Component(component), RolloutArgs::default()).await,
        Ok(Err(error)) => Err(error),
        Err(ended) => Err(ended.into()),
    };
    if let Err(error) = swapped {
        eprintln!("not swapped: {error:#}");
    }
}

/// What the accounts' logs have that wasn't shown.
#[derive(Default)]
struct Log {
    /// None until the first look, which only learns what is old.
    shown: Option<BTreeSet<String>>,
    problem: Option<String>,
}

impl Log {
    async fn show_new(&mut self, folder: &Path, gateway: &Gateway) {
        match self.read(folder, gateway).await {
            Ok(lines) => {
                self.problem = None;
                let old = self.shown.replace(lines.iter().map(|line| line.id.clone()).collect());
                let Some(old) = old else { return };
                for line in lines.iter().filter(|line| !old.contains(&line.id)) {
                    print_line(line);
                }
            }
            // Told once: it may be away for a while.
            Err(error) => {
                let problem = format!("{error:#}");
                if self.problem.as_ref() != Some(&problem) {
                    eprintln!("no log: {problem}");
                }
                self.problem = Some(problem);
            }
        }
    }

    /// The newest lines of every account of the type, the oldest first.
    async fn read(&self, folder: &Path, gateway: &Gateway) -> anyhow::Result<Vec<LogLine>> {
        let channel_type = Manifest::from_folder(folder)?.channel_type;
        let mut lines = Vec::new();
        for account in gateway.accounts(&channel_type).await? {
            lines.extend(gateway.log(&account).await?);
        }
        lines.sort_by(|a, b| (&a.at, &a.id).cmp(&(&b.at, &b.id)));
        Ok(lines)
    }
}

fn print_line(line: &LogLine) {
    println!("{} {} {} {}: {}", line.at, line.level, line.kind, line.code, line.message);
    for (name, value) in &line.details {
        // A traceback has lines of its own.
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        for (place, text) in text.lines().enumerate() {
            println!("    {}{text}", if place == 0 { format!("{name}: ") } else { String::new() });
        }
    }
}
