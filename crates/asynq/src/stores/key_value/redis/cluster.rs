//! A cluster: a key has a slot, a slot is on a node, and a pipeline is for the keys of one slot.

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

/// Operations by slots, in their order for each of them. A command that may be about any key is alone: it
/// comes after all that was asked for before, and before all that was asked for later.
pub(super) struct Plan {
    phases: Vec<Vec<Group>>,
}

/// Operations of one slot, with their places among all.
#[derive(Default)]
struct Group {
    places: Vec<usize>,
    operations: Vec<Operation>,
}

impl Plan {
    pub(super) fn new(operations: &[Operation]) -> Self {
        let routed: Vec<_> =
            (0..).zip(operations).map(|(place, one)| (route(one), place)).collect();
        let phases = routed.chunk_by(|(one, _), (next, _)| one.is_some() && next.is_some());
        let phases = phases.map(|phase| {
            let mut groups: HashMap<Option<Route>, Group> = HashMap::new();
            for &(route, place) in phase {
                let group = groups.entry(route).or_default();
                group.places.push(place);
                group.operations.push(operations[place].clone());
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

    /// What comes back for each operation, of what has come back for each request.
    pub(super) fn replies(&self, answers: Vec<Answer>) -> Replies {
        let mut placed = Vec::new();
        for (Group { places, operations }, answer) in self.phases.iter().flatten().zip(answers) {
            let replies = match answer {
                Ok(values) => replies(operations, values),
                Err(error) => operations.iter().map(|_| Err(error.clone().into())).collect(),
            };
            placed.extend(places.iter().zip(replies));
        }
        placed.sort_by_key(|(place, _)| **place);
        placed.into_iter().map(|(_, reply)| reply).collect()
    }
}

/// The slot that an operation is about, on its primary: reads go there too, so that they come after the
/// writes before them.
fn route(operation: &Operation) -> Option<Route> {
    let is_of_key = !matches!(operation.action(), Action::Unkeyed(_));
    is_of_key.then(|| Route::with_key(operation.key(), SlotAddr::Master))
}

pub(super) struct Request {
    route: Option<Route>,
    pipeline: Pipeline,
}

/// What comes back for a request.
pub(super) type Answer = RedisResult<Vec<Value>>;

impl Request {
    async fn send(self, mut connection: ClusterConnection) -> Answer {
        let Self { route, pipeline } = self;
        let Some(route) = route else {
            // The client knows which nodes it is for, and makes one value of what they say.
            let command = pipeline.cmd_iter().next().expect("what may be about any key is alone");
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
    /// As long as nobody uses it. It connects anew by itself.
    connection: Mutex<Option<ClusterConnection>>,
}

impl Cluster {
    pub(super) fn new(client: ClusterClient) -> Self {
        Self { client, connection: Mutex::default() }
    }

    /// The requests of a phase go out together, each phase when all of the one before has come back.
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
            for (place, request) in phase.into_iter().enumerate() {
                let answer = request.send(connection.clone());
                sent.spawn(async move { (place, answer.await) });
            }
            let mut phase = sent.join_all().await;
            phase.sort_by_key(|&(place, _)| place);
            answers.extend(phase.into_iter().map(|(_, answer)| answer));
        }
        self.lock().replace(connection);
        Ok(answers)
    }

    fn lock(&self) -> MutexGuard<'_, Option<ClusterConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
