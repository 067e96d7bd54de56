//! A layer for HTTP servers.

use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::future::{Request, request};

/// Layer that makes each request of an HTTP server one [`request`](crate::request()): the keys that its handler
/// loads are sent together, when none of its code can run.
///
/// With axum:
///
/// ```ignore
/// let routes = Router::new().route("/users/{id}", get(user)).layer(asynq::RequestLayer);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestLayer;

/// Service of a [`RequestLayer`].
#[derive(Clone, Copy, Debug)]
pub struct RequestService<S> {
    service: S,
}

impl<S> Layer<S> for RequestLayer {
    type Service = RequestService<S>;

    fn layer(&self, service: S) -> RequestService<S> {
        RequestService { service }
    }
}

impl<S: Service<R>, R> Service<R> for RequestService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Request<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, received: R) -> Request<S::Future> {
        request(self.service.call(received))
    }
}
