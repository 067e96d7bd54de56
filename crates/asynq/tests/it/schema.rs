//! A schema for each test, on a PostgreSQL server that the tests share.
#![cfg(target_os = "linux")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use local_servers::installed;
use local_servers::postgres::PostgresServer;

/// A schema for one test, on the shared server.
pub(crate) struct Schema {
    pub(crate) server: Arc<PostgresServer>,
    pub(crate) name: String,
}

impl Schema {
    /// Makes in it what `sql` says. `None` if PostgreSQL is not installed.
    pub(crate) fn new(sql: &str) -> Option<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let server = shared_server()?;
        let schema =
            Self { server, name: format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed)) };
        schema.server.run(&format!("CREATE SCHEMA {}", schema.name));
        schema.run(sql);
        Some(schema)
    }

    /// Returns the options of a connection. Its connections have its name.
    pub(crate) fn config(&self) -> String {
        let (config, name) = (self.server.config(), &self.name);
        format!("{config} application_name={name} options='-c search_path={name}'")
    }

    /// Runs `sql` in it.
    pub(crate) fn run(&self, sql: &str) {
        self.server.run(&format!("SET search_path = {}; {sql}", self.name));
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        self.server.tell_on_panic();
    }
}

/// The shared server. It runs as long as a test uses it.
pub(crate) fn shared_server() -> Option<Arc<PostgresServer>> {
    static SHARED: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    if let Some(server) = shared.upgrade() {
        return Some(server);
    }
    let server = Arc::new(installed(PostgresServer::start())?);
    *shared = Arc::downgrade(&server);
    Some(server)
}
