//! The listening side that every stand-in shares. Unlike `axum::serve` it can hang up without an answer.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Put into a response's extensions, it says: hang up instead of answering.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HungUp;

/// A response that is never sent.
pub(crate) fn hang_up() -> Response {
    let mut response = Body::empty().into_response();
    response.extensions_mut().insert(HungUp);
    response
}

/// Listens on `address` (port 0 takes a free one) and answers until `stop`. Errors where it can't be bound.
pub(crate) async fn listen(address: SocketAddr, router: Router, stop: CancellationToken) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    tokio::spawn(accept(listener, TowerToHyperService::new(router), stop));
    Ok(address)
}

async fn accept(listener: TcpListener, router: TowerToHyperService<Router>, stop: CancellationToken) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors: those in use are given back in a moment.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            continue;
        };
        // Without it small answers wait for the peer's delayed acknowledgement.
        stream.set_nodelay(true).ok();
        let router = router.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| answer(router.clone(), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let stop = stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(connection).await });
    }
}

/// An error makes hyper close the connection with no byte sent.
async fn answer(router: TowerToHyperService<Router>, request: hyper::Request<Incoming>) -> Result<Response, io::Error> {
    let response: Result<Response, Infallible> = router.call(request).await;
    match response {
        Ok(response) if response.extensions().get::<HungUp>().is_some() => Err(io::ErrorKind::ConnectionAborted.into()),
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}
