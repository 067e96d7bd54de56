//! memcached.

use std::ffi::OsString;
use std::net::TcpStream;
use std::ops::{Deref, DerefMut};

use super::port::Port;
use super::{Folder, NotInstalled, Server, on_path};

/// An empty server, whose log has every command.
pub struct MemcachedServer(Server);

impl MemcachedServer {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// [`NotInstalled`] if the program is not on this machine.
    pub fn start() -> Result<Self, NotInstalled> {
        let program = on_path("memcached")?;
        let (folder, port) = (Folder::new(), Port::reserve());
        let port_option = port.number().to_string();
        let arguments = ["-l", "127.0.0.1", "-p", &port_option, "-U", "0", "-m", "256", "-vv"];
        let arguments = arguments.map(OsString::from);
        Ok(Self(Server::start(program, arguments, port, folder, is_ready)))
    }

    /// Address for clients.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// The commands of the kind (`mg`, `ms`, …) that it got.
    pub fn commands(&self, kind: &str) -> Vec<String> {
        let log = self.read_log();
        // `<28 mg key v`, where 28 is the connection.
        let commands = log.lines().filter_map(|line| line.strip_prefix('<')?.split_once(' '));
        let commands = commands.map(|(_, command)| command.to_owned());
        commands.filter(|command| command.split(' ').next() == Some(kind)).collect()
    }
}

impl Drop for MemcachedServer {
    /// At once: by itself it ends after a second, and there is nothing to give back.
    fn drop(&mut self) {
        self.0.kill();
    }
}

impl Deref for MemcachedServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl DerefMut for MemcachedServer {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.0
    }
}

fn is_ready(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
