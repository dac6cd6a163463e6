//! Work that network threads leave to others.

use super::*;

/// A query that lasts goes on when its connection is gone, and so counts as running.
#[tokio::test]
async fn a_heavy_query_counts_until_it_is_done() {
    let Scene { services, hub, session, _folder, .. } = Scene::open().await;
    let all = services.heavy_queries.available_permits();
    let (go_on, waiting) = std::sync::mpsc::channel::<()>();
    let waiting = Arc::new(std::sync::Mutex::new(waiting));
    // As many as there are threads.
    for _ in 0..all {
        let (services, waiting) = (services.clone(), waiting.clone());
        let wait = move || waiting.lock().unwrap().recv().is_err();
        tokio::spawn(async move { services.heavy_threads.run(wait).await });
    }
    tokio::task::yield_now().await;
    let query = Box::new(Query::LastChange);
    let mut running = Box::pin(session.driver.query_blocking(query));
    let polled = std::future::poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    drop(running);
    assert_eq!(services.heavy_queries.available_permits(), all - 1);
    drop(go_on);
    drop(services.heavy_queries.acquire_many(all as u32).await.unwrap());
    drop(session);
    end(&services, hub).await;
}

/// The answers of a burst of requests take no more cores than network threads have.
#[tokio::test]
async fn as_many_long_answers_are_encoded_at_once_as_there_are_network_threads() {
    let Scene { services, hub, session, _folder, .. } = Scene::open().await;
    let all = services.long_answers.available_permits();
    assert_eq!(all, 1);
    let network_thread = std::thread::current().id();
    let (go_on, waiting) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = oneshot::channel();
    let first = {
        let services = services.clone();
        let encode = move || {
            begun.send(std::thread::current().id()).unwrap();
            waiting.recv().unwrap();
        };
        tokio::spawn(async move { services.encode_long(encode).await })
    };
    assert_ne!(has_begun.await.unwrap(), network_thread);
    assert_eq!(services.long_answers.available_permits(), 0);
    let mut second = Box::pin(services.encode_long(|| ()));
    let polled = std::future::poll_fn(|cx| Poll::Ready(second.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    assert!(services.heavy_queries.available_permits() > 0, "it waits for its turn, not a thread");
    go_on.send(()).unwrap();
    assert_eq!((first.await.unwrap(), second.await), (Ok(()), Ok(())));
    assert_eq!(services.long_answers.available_permits(), all);
    drop(session);
    end(&services, hub).await;
}
