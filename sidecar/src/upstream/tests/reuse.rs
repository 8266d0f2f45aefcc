//! Connections are used again, never when that could lose or repeat a call, and are given up in time.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use super::super::{Cause, Progress, Sent, Traffic};
use super::support::{
    Large, Scripted, answer, build, call, echo, eventually, outgoing, post, read_request, server, text, upstream,
    within,
};

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection_and_calls_at_once_do_not() {
    let scripted = Scripted::start(|stream, _| echo(stream)).await;
    let upstream = upstream(&scripted.url());
    for _ in 0..5 {
        text(call(&upstream, "call").await.unwrap()).await;
        eventually("the connection is kept", async || upstream.pool().unwrap().idle() == 1).await;
    }
    assert_eq!(scripted.connections(), 1);
    let (one, two) = (call(&upstream, "one").await.unwrap(), call(&upstream, "two").await.unwrap());
    assert!(text(one).await.ends_with("one"));
    assert!(text(two).await.ends_with("two"));
    assert_eq!(scripted.connections(), 2);
}

/// The server closes each connection after one answer, without saying so. The client must find out before it writes,
/// though its runtime has not had a turn to notice: this test blocks it until the server has closed.
#[tokio::test]
async fn a_connection_that_the_server_has_closed_loses_no_call_and_repeats_none() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let (close, when_to_close) = std::sync::mpsc::channel::<()>();
    let (closed, when_closed) = std::sync::mpsc::channel();
    let executed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&executed);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            let mut read = 0;
            while !buffer[..read].ends_with(b"call") {
                read += stream.read(&mut buffer[read..]).unwrap();
            }
            count.fetch_add(1, Ordering::SeqCst);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
            if when_to_close.recv().is_err() {
                return;
            }
            drop(stream);
            closed.send(()).unwrap();
        }
    });
    let upstream = upstream(&url);
    for calls in 1..=20 {
        let response = call(&upstream, "call").await.expect("no call is lost");
        assert_eq!(text(response).await, "ok");
        eventually("the connection is kept", async || upstream.pool().unwrap().idle() == 1).await;
        close.send(()).unwrap();
        when_closed.recv_timeout(super::support::DEADLINE).unwrap();
        assert_eq!(executed.load(Ordering::SeqCst), calls, "no call is made twice");
    }
}

#[tokio::test]
async fn a_server_that_dies_with_the_request_in_hand_is_not_asked_again() {
    let scripted = Scripted::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        answer(&mut stream, "ok").await;
        read_request(&mut stream).await;
    })
    .await;
    let upstream = upstream(&scripted.url());
    text(call(&upstream, "first").await.unwrap()).await;
    eventually("the connection is kept", async || upstream.pool().unwrap().idle() == 1).await;
    let error = call(&upstream, "second").await.unwrap_err();
    assert_eq!(error.sent, Sent::Maybe);
    assert_eq!(scripted.connections(), 1);
}

#[tokio::test]
async fn a_kept_connection_on_which_the_server_speaks_unasked_is_not_used() {
    let scripted = Scripted::start(|mut stream, _| async move {
        while read_request(&mut stream).await.is_some() {
            answer(&mut stream, "ok").await;
            let farewell = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, farewell).await.unwrap();
        }
    })
    .await;
    let upstream = upstream(&scripted.url());
    for _ in 0..20 {
        assert_eq!(text(call(&upstream, "call").await.unwrap()).await, "ok");
    }
}

#[tokio::test]
async fn a_large_request_that_an_answering_server_never_reads_counts_for_a_while_and_then_its_connection_ends() {
    let scripted = Scripted::start(|mut stream, number| async move {
        if number > 0 {
            return echo(stream).await;
        }
        let mut head = [0; 1024];
        tokio::io::AsyncReadExt::read(&mut stream, &mut head).await.unwrap();
        answer(&mut stream, "ok").await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut server = server(&scripted.url());
    server.limits.max_concurrent_calls = 1;
    server.limits.connect_timeout = "1s".into();
    let upstream = build(&server).unwrap();
    let large = Large::new();
    assert_eq!(text(large.post(&upstream).await.unwrap()).await, "ok");
    assert!(large.is_held());
    let error = call(&upstream, "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Busy, Sent::No), "the first call still counts");
    eventually("the request is given up", async || !large.is_held()).await;
    text(call(&upstream, "call").await.unwrap()).await;
    assert_eq!(scripted.connections(), 2);
}

#[tokio::test]
async fn idle_connections_are_given_up_in_time_and_old_ones_get_no_more_calls() {
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    let scripted = Scripted::start(move |stream, _| {
        let count = Arc::clone(&count);
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            echo(stream).await;
            count.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let mut idle = server(&scripted.url());
    idle.limits.pool_idle_timeout = "1s".into();
    let idle = build(&idle).unwrap();
    text(call(&idle, "call").await.unwrap()).await;
    eventually("the idle connection is closed", async || open.load(Ordering::SeqCst) == 0).await;

    let mut old = server(&scripted.url());
    old.limits.max_connection_age = "1s".into();
    let old = build(&old).unwrap();
    let before = scripted.connections();
    eventually("another connection is made", async || {
        text(call(&old, "call").await.unwrap()).await;
        scripted.connections() == before + 2
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_its_server_is_about_to_close_gets_no_more_calls() {
    for (timeout, connections, idle) in [(0, 3, 0), (60, 1, 1)] {
        let scripted = Scripted::start(move |mut stream, _| async move {
            while read_request(&mut stream).await.is_some() {
                let head = format!("HTTP/1.1 200 OK\r\nKeep-Alive: timeout={timeout}\r\nContent-Length: 2\r\n\r\nok");
                tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
            }
        })
        .await;
        let upstream = upstream(&scripted.url());
        for _ in 0..3 {
            assert_eq!(text(call(&upstream, "call").await.unwrap()).await, "ok");
        }
        assert_eq!(scripted.connections(), connections, "{timeout}");
        assert_eq!(upstream.pool().unwrap().idle(), idle, "{timeout}");
    }
}

#[tokio::test]
async fn no_more_connections_are_kept_than_permitted() {
    let scripted = Scripted::start(|stream, _| echo(stream)).await;
    let mut server = server(&scripted.url());
    server.limits.max_idle_connections = 2;
    let upstream = build(&server).unwrap();
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(call(&upstream, "call").await.unwrap());
    }
    for answer in answers {
        text(answer).await;
    }
    eventually("the connections are kept", async || upstream.pool().unwrap().idle() == 2).await;
}

#[tokio::test]
async fn connections_that_come_back_at_once_are_taken_again_though_fewer_are_kept() {
    let scripted = Scripted::start(|stream, _| echo(stream)).await;
    let mut server = server(&scripted.url());
    server.limits.max_idle_connections = 2;
    let upstream = build(&server).unwrap();
    eventually("five calls at once need no connection that is made for them", async || {
        let before = scripted.connections();
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(call(&upstream, "call").await.unwrap());
        }
        for answer in answers {
            text(answer).await;
        }
        scripted.connections() == before
    })
    .await;
}

#[tokio::test]
async fn no_connection_is_kept_where_none_may_be() {
    let scripted = Scripted::start(|stream, _| echo(stream)).await;
    let mut server = server(&scripted.url());
    server.limits.max_idle_connections = 0;
    let upstream = build(&server).unwrap();
    for calls in 1..=3 {
        text(call(&upstream, "call").await.unwrap()).await;
        assert_eq!(scripted.connections(), calls);
    }
    assert_eq!(upstream.pool().unwrap().idle(), 0);
}

#[tokio::test]
async fn no_more_calls_are_in_flight_than_permitted_and_an_ended_one_makes_place() {
    let scripted = Scripted::start(|stream, _| echo(stream)).await;
    let mut server = server(&scripted.url());
    server.limits.max_concurrent_calls = 1;
    server.limits.connect_timeout = "1s".into();
    let upstream = build(&server).unwrap();
    let first = call(&upstream, "first").await.unwrap();
    let error = call(&upstream, "second").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Busy, Sent::No));
    drop(first);
    assert!(text(call(&upstream, "third").await.unwrap()).await.ends_with("third"));
}

#[tokio::test]
async fn calls_streams_and_messages_take_no_place_of_each_other() {
    let scripted = Scripted::start(|stream, _| echo(stream)).await;
    let mut server = server(&scripted.url());
    server.limits.max_concurrent_calls = 1;
    server.limits.max_streams = 1;
    server.limits.connect_timeout = "1s".into();
    let upstream = build(&server).unwrap();
    let send = async |traffic| within(upstream.send(outgoing(&post("x")), traffic, &Progress::new())).await;
    let mut open = Vec::new();
    for traffic in [Traffic::Stream, Traffic::Call, Traffic::Message, Traffic::Message] {
        open.push(send(traffic).await.unwrap());
    }
    for (traffic, cause) in [(Traffic::Stream, Cause::Streams), (Traffic::Call, Cause::Busy)] {
        let error = send(traffic).await.unwrap_err();
        assert_eq!((error.cause, error.sent), (cause, Sent::No));
    }
}

#[tokio::test]
async fn dropping_a_call_or_its_answer_hangs_up() {
    let (hung_up, mut noticed) = tokio::sync::mpsc::unbounded_channel();
    let scripted = Scripted::start(move |mut stream, number| {
        let hung_up = hung_up.clone();
        async move {
            read_request(&mut stream).await;
            if number == 1 {
                let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                tokio::io::AsyncWriteExt::write_all(&mut stream, head).await.unwrap();
            }
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new()).await;
            hung_up.send(number).unwrap();
        }
    })
    .await;
    let upstream = upstream(&scripted.url());
    let (progress, request) = (Progress::new(), post("call"));
    let unanswered = tokio::time::timeout(
        std::time::Duration::from_millis(300),
        upstream.send(outgoing(&request), Traffic::Call, &progress),
    );
    assert!(unanswered.await.is_err());
    assert_eq!(within(noticed.recv()).await, Some(0));
    drop(call(&upstream, "call").await.unwrap());
    assert_eq!(within(noticed.recv()).await, Some(1));
}

/// A server that answers, answers twice, answers and hangs up, hangs up with the call in hand, or hangs up before any: in turns. Some
/// calls are given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_to_be_unsent_never_arrived_and_nothing_arrived_twice_and_each_answer_is_its_calls() {
    let arrived: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let record = Arc::clone(&arrived);
    let turn = Arc::new(AtomicUsize::new(0));
    let scripted = Scripted::start(move |mut stream, _| {
        let (record, turn) = (Arc::clone(&record), Arc::clone(&turn));
        async move {
            loop {
                let turn = turn.fetch_add(1, Ordering::SeqCst) % 7;
                if turn == 0 {
                    return;
                }
                let Some(request) = read_request(&mut stream).await else { return };
                let name = request.split("\r\n\r\n").nth(1).unwrap().to_owned();
                *record.lock().unwrap().entry(name.clone()).or_default() += 1;
                if turn == 1 {
                    return;
                }
                let mut answers = Vec::new();
                for _ in 0..=u8::from(turn == 3) {
                    answer(&mut answers, &name).await;
                }
                // A call that was given up hangs up.
                if tokio::io::AsyncWriteExt::write_all(&mut stream, &answers).await.is_err() {
                    return;
                }
                if turn == 2 {
                    return;
                }
            }
        }
    })
    .await;
    let upstream = Arc::new(upstream(&scripted.url()));
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..8 {
        let upstream = Arc::clone(&upstream);
        callers.spawn(async move {
            let mut outcomes = Vec::new();
            for number in 0..50 {
                let name = format!("{caller}-{number}");
                let call = async {
                    match call(&upstream, &name).await {
                        Ok(response) => {
                            assert_eq!(text(response).await, name);
                            None
                        }
                        Err(error) => Some(error.sent),
                    }
                };
                let polls = if number % 4 == 0 { number / 4 } else { usize::MAX };
                let outcome = given_up_after(polls, call).await;
                outcomes.push((name, outcome.unwrap_or(Some(Sent::Maybe))));
            }
            outcomes
        });
    }
    let outcomes = callers.join_all().await.concat();
    let arrived = arrived.lock().unwrap();
    for (name, outcome) in &outcomes {
        let times = arrived.get(name).copied().unwrap_or_default();
        match outcome {
            None => assert_eq!(times, 1, "{name} was answered"),
            Some(Sent::No) => assert_eq!(times, 0, "{name} was not sent"),
            Some(Sent::Maybe) => assert!(times <= 1, "{name} may have been sent"),
        }
    }
    assert!(outcomes.iter().any(|(_, outcome)| *outcome == Some(Sent::Maybe)));
}

/// Its output, unless it takes more turns than these.
async fn given_up_after<F: Future>(turns: usize, future: F) -> Option<F::Output> {
    let (mut future, mut turn) = (pin!(future), 0);
    poll_fn(|cx| {
        turn += 1;
        if turn > turns { Poll::Ready(None) } else { future.as_mut().poll(cx).map(Some) }
    })
    .await
}
