//! A cluster of Redis: each key has a slot, each slot a node, and a pipeline has the keys of one slot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::ConnectionLike;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, SingleNodeRoutingInfo, SlotAddr};
use redis::{Pipeline, RedisResult, Value};
use tokio::task::JoinSet;

use super::commands::{pipeline, replies};
use crate::stores::key_value::operation::{Action, Operation, Replies};

/// Operations grouped by slot, in order within each. A command without a key is a phase of its own: it is
/// sent after the operations before it, and before those after it.
pub(super) struct Plan {
    phases: Vec<Vec<Group>>,
}

/// Operations of one slot, with their indices in the batch.
#[derive(Default)]
struct Group {
    indices: Vec<usize>,
    operations: Vec<Operation>,
}

impl Plan {
    pub(super) fn new(operations: &[Operation]) -> Self {
        let routed: Vec<_> =
            (0..).zip(operations).map(|(index, one)| (route(one), index)).collect();
        let phases = routed.chunk_by(|(one, _), (next, _)| one.is_some() && next.is_some());
        let phases = phases.map(|phase| {
            let mut groups: HashMap<Option<Route>, Group> = HashMap::new();
            for &(route, index) in phase {
                let group = groups.entry(route).or_default();
                group.indices.push(index);
                group.operations.push(operations[index].clone());
            }
            groups.into_values().collect()
        });
        Self { phases: phases.collect() }
    }

    pub(super) fn requests(&self) -> Vec<Vec<Request>> {
        let request = |Group { operations, .. }: &Group| Request {
            route: route(&operations[0]),
            pipeline: pipeline(operations),
        };
        self.phases.iter().map(|phase| phase.iter().map(request).collect()).collect()
    }

    /// Converts the answers to the requests to replies to the operations.
    pub(super) fn replies(&self, answers: Vec<Answer>) -> Replies {
        let mut indexed = Vec::new();
        for (Group { indices, operations }, answer) in self.phases.iter().flatten().zip(answers) {
            let replies = match answer {
                Ok(values) => replies(operations, values),
                Err(error) => operations.iter().map(|_| Err(error.clone().into())).collect(),
            };
            indexed.extend(indices.iter().zip(replies));
        }
        indexed.sort_by_key(|(index, _)| **index);
        indexed.into_iter().map(|(_, reply)| reply).collect()
    }
}

/// Returns the slot of an operation, on its primary: reads are sent there too, so that they see the
/// writes before them.
fn route(operation: &Operation) -> Option<Route> {
    let is_of_key = !matches!(operation.action(), Action::Unkeyed(_));
    is_of_key.then(|| Route::with_key(operation.key(), SlotAddr::Master))
}

pub(super) struct Request {
    route: Option<Route>,
    pipeline: Pipeline,
}

/// Answer to a request.
pub(super) type Answer = RedisResult<Vec<Value>>;

impl Request {
    async fn send(self, mut connection: ClusterConnection) -> Answer {
        let Self { route, pipeline } = self;
        let Some(route) = route else {
            // The client chooses the nodes, and combines their replies.
            let command = pipeline
                .cmd_iter()
                .next()
                .expect("a command without a key is a request of its own");
            return Ok(vec![connection.req_packed_command(command).await?]);
        };
        let count = pipeline.len();
        connection
            .route_pipeline(pipeline, 0, count, SingleNodeRoutingInfo::SpecificNode(route))
            .await
    }
}

pub(super) struct Cluster {
    client: ClusterClient,
    /// The connection, while no batch uses it. It reconnects by itself.
    connection: Mutex<Option<ClusterConnection>>,
}

impl Cluster {
    pub(super) fn new(client: ClusterClient) -> Self {
        Self { client, connection: Mutex::default() }
    }

    /// Sends the requests of each phase concurrently, after the phase before it has completed.
    pub(super) async fn send(
        self: Arc<Self>,
        phases: Vec<Vec<Request>>,
    ) -> RedisResult<Vec<Answer>> {
        let kept = self.lock().take();
        let connection = match kept {
            Some(kept) => kept,
            None => self.client.get_async_connection().await?,
        };
        let mut answers = Vec::new();
        for phase in phases {
            let mut sent = JoinSet::new();
            for (index, request) in phase.into_iter().enumerate() {
                let answer = request.send(connection.clone());
                sent.spawn(async move { (index, answer.await) });
            }
            let mut phase = sent.join_all().await;
            phase.sort_by_key(|&(index, _)| index);
            answers.extend(phase.into_iter().map(|(_, answer)| answer));
        }
        self.lock().replace(connection);
        Ok(answers)
    }

    fn lock(&self) -> MutexGuard<'_, Option<ClusterConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
