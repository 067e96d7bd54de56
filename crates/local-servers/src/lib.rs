//! Servers of memcached, PostgreSQL and Redis for the demo and the tests, each on a free port of the
//! loopback interface and with a folder of its own.
//!
//! A server ends when it is dropped, also when a test panics. For Linux, since it reads `/proc`.
#![forbid(unsafe_code)]
#![allow(clippy::missing_panics_doc, reason = "a test has no use for an error")]

pub mod memcached;
mod port;
pub mod postgres;
pub mod redis;

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use self::port::Port;

/// Longest time that a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// The user `nobody` and its group: most servers refuse to run as root.
const NOBODY: u32 = 65534;

/// A server, or a port on which one was and can be again.
pub struct Server {
    port: Port,
    program: PathBuf,
    arguments: Vec<OsString>,
    is_ready: fn(port: u16) -> bool,
    process: Option<Child>,
    folder: Folder,
}

impl Server {
    /// Starts a program, and waits until it `is_ready`.
    pub(crate) fn start(
        program: PathBuf,
        arguments: impl IntoIterator<Item = OsString>,
        port: Port,
        folder: Folder,
        is_ready: fn(port: u16) -> bool,
    ) -> Self {
        let arguments = arguments.into_iter().collect();
        let mut server = Self { port, program, arguments, is_ready, process: None, folder };
        server.restart();
        server
    }

    /// Port on which the server listens.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Starts the server again on the same port, after `kill`.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let deadline = Instant::now() + PATIENCE;
        while !(self.process.is_some() && (self.is_ready)(self.port())) {
            assert!(Instant::now() < deadline, "no answer: {}", self.folder.read_log());
            // It may not start until what is left of its predecessor is gone.
            let ended = |process: &mut Child| process.try_wait().expect("our child").is_some();
            if self.process.as_mut().is_none_or(ended) {
                let command = &mut self.folder.command(&self.program);
                self.process =
                    Some(command.args(&self.arguments).spawn().expect("it is installed"));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the server at once, and all its connections.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let children = children(process.id());
            process.kill().expect("our child");
            process.wait().expect("our child");
            for child in children {
                // It may have followed its parent already.
                let _ = kill_process(child, Signal::KILL);
            }
        }
    }

    /// Keeps the server from answering, without closing a connection.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        // Each thread stops by itself, and not at once: one may still answer, or start another.
        while !self.threads().iter().all(|thread| is_stopped(thread)) {
            thread::sleep(Duration::from_millis(1));
            self.signal(Signal::STOP);
        }
    }

    /// Lets the server answer again, after `pause`.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Prints the log of the server if the thread panics, for the reader of a failed test.
    pub fn tell_on_panic(&self) {
        if thread::panicking() {
            println!("{}", self.folder.read_log());
        }
    }

    /// Everything that the server has written so far.
    pub fn read_log(&self) -> String {
        self.folder.read_log()
    }

    fn signal(&self, signal: Signal) {
        for process in self.processes() {
            // It may have ended meanwhile.
            let _ = kill_process(process, signal);
        }
    }

    fn processes(&self) -> Vec<Pid> {
        let process = self.process.as_ref().expect("it runs").id();
        [pid(process)].into_iter().chain(children(process)).collect()
    }

    /// The folders of `/proc` that are about the threads of its processes.
    fn threads(&self) -> Vec<PathBuf> {
        let tasks = |process: Pid| fs::read_dir(format!("/proc/{process}/task"));
        // A process that has ended meanwhile has no folder.
        let tasks = self.processes().into_iter().flat_map(tasks).flatten().flatten();
        tasks.map(|task| task.path()).collect()
    }
}

impl Drop for Server {
    /// Lets it end by itself: it has shared memory to give back.
    fn drop(&mut self) {
        self.tell_on_panic();
        if self.process.is_some() {
            self.resume();
        }
        if let Some(mut process) = self.process.take() {
            // If it has ended already, there is nothing to wait for.
            let _ = kill_process(pid(process.id()), Signal::INT);
            let _ = process.wait();
        }
    }
}

/// Returns whether a thread is stopped or has ended: in proc(5), its state follows the name in parentheses.
fn is_stopped(thread: &Path) -> bool {
    let Ok(stat) = fs::read_to_string(thread.join("stat")) else { return true };
    stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['T', 'Z']))
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().expect("a process id")).expect("a process id")
}

/// The processes that a process has started: those of PostgreSQL's connections.
fn children(of: u32) -> Vec<Pid> {
    let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    children.split_whitespace().map(|id| pid(id.parse().expect("a process id"))).collect()
}

/// A temporary folder of the user that servers run as.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may do that");
        }
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A command in the folder, which writes into a log there.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log");
        let mut command = Command::new(program);
        command.current_dir(self.path()).stdout(log.try_clone().expect("a log")).stderr(log);
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    pub(crate) fn read_log(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.path().join("log")
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Finds a program that can be called by its name alone.
fn on_path(program: &'static str) -> Result<PathBuf, NotInstalled> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut files = env::split_paths(&path).map(|folder| folder.join(program));
    files.find(|file| file.is_file()).ok_or(NotInstalled(program))
}

/// The program of the server is not on this machine.
#[derive(Debug)]
pub struct NotInstalled(&'static str);

impl fmt::Display for NotInstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not installed: make services", self.0)
    }
}

impl Error for NotInstalled {}

/// The server of a test, or `None` if it is not installed; the test then prints why it shows nothing.
pub fn installed<T>(started: Result<T, NotInstalled>) -> Option<T> {
    started.inspect_err(|missing| println!("skipped: {missing}")).ok()
}
