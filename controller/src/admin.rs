//! `/healthz`, `/readyz` and `/metrics`, and nothing else: no endpoint opens, checks or re-encrypts anything.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

/// What the endpoints read.
pub struct Admin {
    /// Every metric.
    pub registry: Registry,
    /// Whether the watches have delivered and the keys are loaded.
    pub ready: Box<dyn Fn() -> bool + Send + Sync>,
    /// Brings counts up to date that are only wanted when somebody asks.
    pub refresh: Box<dyn Fn() + Send + Sync>,
}

/// Serves until `stop` resolves.
pub async fn serve(
    listener: TcpListener,
    admin: Arc<Admin>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), std::io::Error> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(admin);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn ready(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    if (admin.ready)() {
        return (StatusCode::OK, "ok\n");
    }
    (StatusCode::SERVICE_UNAVAILABLE, "waiting for the API server\n")
}

async fn metrics(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    (admin.refresh)();
    let mut text = String::new();
    match encode(&mut text, &admin.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text)
        }
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], String::new()),
    }
}
