//! PostgreSQL.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::port::Port;
use super::{Folder, NotInstalled, Server, on_path};

/// A server with an empty database.
pub struct PostgresServer(Server);

impl PostgresServer {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// [`NotInstalled`] if the program is not on this machine.
    pub fn start() -> Result<Self, NotInstalled> {
        let postgres = program("postgres")?;
        let (folder, port) = (Folder::new(), Port::reserve());
        let data = folder.path().join("data");
        let mut initdb = folder.command(&program("initdb").expect("it comes with postgres"));
        initdb.args(["--no-sync", "--no-locale", "-A", "trust", "-E", "UTF8", "-U", "asynq", "-D"]);
        let status = initdb.arg(&data).status().expect("initdb runs");
        assert!(status.success(), "{}", folder.read_log());
        let port_option = port.number().to_string();
        let mut arguments =
            vec!["-D".into(), data.into_os_string(), "-p".into(), port_option.into()];
        let settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "dynamic_shared_memory_type=mmap", // in the folder, also when it is killed
        ];
        for setting in settings {
            arguments.extend(["-c".into(), setting.into()]);
        }
        Ok(Self(Server::start(postgres, arguments, port, folder, is_ready)))
    }

    /// Configuration for clients.
    pub fn config(&self) -> String {
        format!("host=127.0.0.1 port={} user=asynq dbname=postgres", self.port())
    }

    fn psql(&self, sql: &str) -> Command {
        let mut psql = Command::new(program("psql").expect("it comes with postgres"));
        psql.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &self.config(),
            "-c",
            sql,
        ]);
        psql
    }

    /// Runs `sql`, and returns what it prints.
    pub fn run(&self, sql: &str) -> String {
        let output = self.psql(sql).output().expect("psql runs");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
    }

    /// Waits until `sql` prints `expected`.
    pub fn wait_until(&self, sql: &str, expected: &str) {
        while self.run(sql) != expected {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs `sql`, for as long as it takes, until its connection or the server ends.
    pub fn begin(&self, sql: &str) {
        let mut psql = self.psql(sql);
        let mut psql = psql.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("psql runs");
        thread::spawn(move || psql.wait());
    }
}

impl Deref for PostgresServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl DerefMut for PostgresServer {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.0
    }
}

/// The newest of the programs of Debian, which are not on the path, or the one that is.
fn program(name: &'static str) -> Result<PathBuf, NotInstalled> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(|path| version(path));
    let newest = newest.map(|path| path.join("bin").join(name)).filter(|file| file.is_file());
    newest.map_or_else(|| on_path(name), Ok)
}

fn is_ready(port: u16) -> bool {
    let mut command = Command::new(program("pg_isready").expect("it comes with postgres"));
    let command = command.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", "asynq"]);
    command.status().expect("pg_isready runs").success()
}
