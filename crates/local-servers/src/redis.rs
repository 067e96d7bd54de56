//! Redis.

use std::ffi::OsString;
use std::net::TcpStream;
use std::ops::{Deref, DerefMut};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::port::Port;
use super::{Folder, NotInstalled, Server, on_path};

/// An empty server, that writes nothing to disk.
pub struct RedisServer(Server);

impl RedisServer {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// [`NotInstalled`] if the program is not on this machine.
    pub fn start() -> Result<Self, NotInstalled> {
        Self::start_with(&[])
    }

    fn start_with(options: &[&str]) -> Result<Self, NotInstalled> {
        let program = on_path("redis-server")?;
        let (folder, port) = (Folder::new(), Port::reserve());
        let port_option = port.number().to_string();
        let arguments =
            ["--bind", "127.0.0.1", "--port", &port_option, "--save", "", "--appendonly", "no"];
        let arguments = arguments.iter().chain(options).map(OsString::from);
        Ok(Self(Server::start(program, arguments, port, folder, is_ready)))
    }

    /// URL for clients.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// Runs a command by another client, and returns what that prints.
    pub fn run(&self, command: &[&str]) -> String {
        run(self.port(), command)
    }

    /// Number of calls of a command since the start of the server.
    pub fn calls(&self, command: &str) -> usize {
        let stats = self.run(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| {
            line.strip_prefix(&format!("cmdstat_{}:calls=", command.to_lowercase()))
        });
        let calls = line.and_then(|line| line.split(',').next());
        calls.map_or(0, |calls| calls.parse().expect("a number"))
    }

    /// Waits until `command` prints something with `expected` in it.
    pub fn wait_until(&self, command: &[&str], expected: &str) {
        while !self.run(command).contains(expected) {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A cluster of so many primaries, each of which has as many slots as the others.
pub struct RedisCluster<const N: usize> {
    nodes: [RedisServer; N],
    /// Ports by which the nodes talk to each other.
    _buses: Vec<Port>,
}

impl<const N: usize> RedisCluster<N> {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// [`NotInstalled`] if the program is not on this machine.
    pub fn start() -> Result<Self, NotInstalled> {
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..N {
            let bus = Port::reserve();
            nodes.push(RedisServer::start_with(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus.number().to_string(),
                "--cluster-node-timeout",
                "1000",
                "--cluster-require-full-coverage",
                "no",
            ])?);
            buses.push(bus);
        }
        for (place, (node, bus)) in nodes.iter().zip(&buses).enumerate() {
            let slots = [place, place + 1].map(|place| place * SLOTS / N);
            let [first, last] = [slots[0], slots[1] - 1].map(|slot| slot.to_string());
            node.run(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            let [port, bus] = [node.port(), bus.number()].map(|port| port.to_string());
            nodes[0].run(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        for node in &nodes {
            node.wait_until(&["CLUSTER", "INFO"], &format!("cluster_slots_ok:{SLOTS}"));
            node.wait_until(&["CLUSTER", "INFO"], "cluster_state:ok");
        }
        let nodes = nodes.try_into().unwrap_or_else(|_| unreachable!("there are N"));
        Ok(Self { nodes, _buses: buses })
    }

    /// URLs of the nodes, for clients.
    pub fn urls(&self) -> [String; N] {
        self.nodes.each_ref().map(RedisServer::url)
    }

    /// The primaries, in the order of their slots.
    pub fn nodes(&mut self) -> &mut [RedisServer; N] {
        &mut self.nodes
    }

    /// The node that has the slot of a key, by its place.
    pub fn node_of(&self, key: &str) -> usize {
        let slot: usize =
            self.nodes[0].run(&["CLUSTER", "KEYSLOT", key]).parse().expect("a number");
        (slot * N + N - 1) / SLOTS
    }

    /// Number of calls of a command on all nodes.
    pub fn calls(&self, command: &str) -> usize {
        self.nodes.iter().map(|node| node.calls(command)).sum()
    }
}

/// Number of slots of a cluster.
const SLOTS: usize = 16_384;

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
