//! A single server of Redis.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisResult, Value, cmd};

pub(super) struct Server {
    client: Client,
    /// The connection, while no batch uses it.
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Server {
    pub(super) fn new(client: Client) -> Self {
        Self { client, connection: Mutex::default() }
    }

    pub(super) async fn send(self: Arc<Self>, pipeline: Pipeline) -> RedisResult<Vec<Value>> {
        let mut connection = self.connection().await?;
        let values = connection.send_packed_commands(&pipeline, 0, pipeline.len()).await?;
        self.lock().replace(connection);
        Ok(values)
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let kept = self.lock().take();
        if let Some(mut kept) = kept {
            // Without waiting for the reply: this fails at once if the server has closed the connection,
            // and is sent with the pipeline otherwise.
            if kept.send_packed_command(cmd("PING").set_no_response(true)).await.is_ok() {
                return Ok(kept);
            }
        }
        // The timeout of the batch covers all of it.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    fn lock(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
