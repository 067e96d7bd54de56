//! An extension for GraphQL servers.

use std::sync::Arc;

use async_graphql::Response;
use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};

use super::future::request;

/// Extension of async-graphql that makes each operation one [`request`](crate::request()): the keys that its
/// resolvers load are sent together, level by level. So are those of each event of a subscription.
///
/// ```
/// use std::sync::LazyLock;
/// use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};
/// use asynq::{BatchError, Loader, RequestExtension};
///
/// static NAME: LazyLock<Loader<u32, String>> = LazyLock::new(|| {
///     Loader::new(|ids: Vec<u32>| {
///         assert_eq!(ids, [1, 2, 3]);           // one statement
///         ids.into_iter().map(|id| format!("user {id}")).collect::<Vec<_>>()
///     })
/// });
///
/// struct User(u32);
///
/// #[Object]
/// impl User {
///     async fn name(&self) -> Result<String, BatchError> {
///         NAME.load(self.0).await
///     }
/// }
///
/// struct Query;
///
/// #[Object]
/// impl Query {
///     async fn users(&self) -> Vec<User> {
///         (1..=3).map(User).collect()
///     }
/// }
///
/// let schema = Schema::build(Query, EmptyMutation, EmptySubscription);
/// let schema = schema.extension(RequestExtension).finish();
/// let users = futures::executor::block_on(schema.execute("{ users { name } }"));
/// assert_eq!(users.data.into_json().unwrap()["users"][2]["name"], "user 3");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestExtension;

impl ExtensionFactory for RequestExtension {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for RequestExtension {
    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        request(next.run(context, operation)).await
    }
}
