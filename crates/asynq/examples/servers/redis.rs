//! Redis.

use std::ffi::OsString;
use std::net::TcpStream;
use std::ops::{Deref, DerefMut};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::{Folder, NotInstalled, Server, free_port, on_path};

/// An empty server, that writes nothing to disk.
pub(crate) struct RedisServer(Server);

impl RedisServer {
    /// Starts one, if it is installed.
    pub(crate) fn start() -> Result<Self, NotInstalled> {
        let program = on_path("redis-server")?;
        let (folder, port) = (Folder::new(), free_port());
        let port_option = port.to_string();
        let arguments =
            ["--bind", "127.0.0.1", "--port", &port_option, "--save", "", "--appendonly", "no"];
        let arguments = arguments.map(OsString::from);
        Ok(Self(Server::start(program, arguments, port, folder, is_ready)))
    }

    /// How to connect to it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// What a command prints, by another client.
    pub(crate) fn run(&self, command: &[&str]) -> String {
        run(self.port(), command)
    }

    /// How often a command was called since the start of the server.
    pub(crate) fn calls(&self, command: &str) -> usize {
        let stats = self.run(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| {
            line.strip_prefix(&format!("cmdstat_{}:calls=", command.to_lowercase()))
        });
        let calls = line.and_then(|line| line.split(',').next());
        calls.map_or(0, |calls| calls.parse().expect("a number"))
    }

    /// Waits until `command` prints something with `expected` in it.
    pub(crate) fn wait_until(&self, command: &[&str], expected: &str) {
        while !self.run(command).contains(expected) {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Deref for RedisServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl DerefMut for RedisServer {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.0
    }
}

fn run(port: u16, command: &[&str]) -> String {
    let mut client = Command::new(on_path("redis-cli").expect("it comes with redis-server"));
    let output = client.args(["-p", &port.to_string()]).args(command).output();
    let output = output.expect("redis-cli runs");
    String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
}

fn is_ready(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok() && run(port, &["PING"]) == "PONG"
}
