use core_model::{MessageId, Seq};

use super::*;

fn at(message: u64) -> EventPosition {
    EventPosition { message: MessageId(message), seq: Seq(0) }
}

fn job(message: u64, lane: Lane) -> Job {
    let body = Body { id: format!("msg_{message}"), json: vec![b' '; 100].into() };
    Job { position: at(message), lane, body, at_ms: message * 1_000 }
}

fn window(concurrency: usize, lanes: &[Lane]) -> Window {
    let mut window = Window::new(Pacing { concurrency, pause_ms_max: 60_000 }, at(0));
    let jobs = lanes.iter().zip(1..).map(|(lane, message)| job(message, *lane)).collect();
    window.add(jobs, at(lanes.len() as u64));
    window
}

/// The messages that are sent now.
fn sent(window: &mut Window, now: u64) -> Vec<u64> {
    std::iter::from_fn(|| window.next(now)).map(|job| job.position.message.0).collect()
}

fn failed(now: u64) -> Failed {
    Failed { now, retry_after_ms: None, dice: 0, is_old: false }
}

const ONE: Lane = Lane::Room(1);
const TWO: Lane = Lane::Room(2);

#[test]
fn rooms_go_side_by_side_and_each_in_its_order() {
    let mut window = window(8, &[ONE, ONE, TWO, ONE, TWO]);
    assert_eq!(sent(&mut window, 0), [1, 3]);
    window.succeed(at(3));
    assert_eq!(window.done_up_to(), at(0), "the first is not delivered");
    assert_eq!(sent(&mut window, 0), [5]);
    window.succeed(at(1));
    assert_eq!(window.done_up_to(), at(1));
    assert_eq!(sent(&mut window, 0), [2]);
    window.succeed(at(2));
    assert_eq!(window.done_up_to(), at(3));
    window.succeed(at(5));
    assert_eq!(sent(&mut window, 0), [4]);
    window.succeed(at(4));
    assert_eq!(window.done_up_to(), at(5));
    assert!(!window.is_sending() && window.due().is_none());
}

#[test]
fn no_more_are_sent_at_once_than_is_said() {
    let lanes: Vec<Lane> = (1..=9).map(Lane::Room).collect();
    let mut window = window(3, &lanes);
    assert_eq!(sent(&mut window, 0), [1, 2, 3]);
    window.succeed(at(2));
    assert_eq!(sent(&mut window, 0), [4]);
}

#[test]
fn a_gap_comes_after_all_before_it_and_before_all_after_it() {
    let mut window = window(8, &[ONE, TWO, Lane::All, ONE, TWO]);
    assert_eq!(sent(&mut window, 0), [1, 2]);
    window.succeed(at(1));
    assert!(sent(&mut window, 0).is_empty());
    window.succeed(at(2));
    assert_eq!(sent(&mut window, 0), [3]);
    window.succeed(at(3));
    assert_eq!(sent(&mut window, 0), [4, 5]);
}

#[test]
fn a_room_that_fails_does_not_hold_up_another() {
    let mut window = window(1, &[ONE, TWO, TWO, TWO]);
    assert_eq!(sent(&mut window, 0), [1]);
    assert_eq!(window.fail(at(1), failed(0)), None);
    for message in 2..=4 {
        assert_eq!(sent(&mut window, 0), [message]);
        window.succeed(at(message));
    }
    assert_eq!((sent(&mut window, 999), window.due()), (vec![], Some(1_000)));
    assert_eq!(sent(&mut window, 1_000), [1]);
    // The second pause is twice as long.
    window.fail(at(1), failed(1_000));
    assert_eq!(window.due(), Some(3_000));
    assert_eq!(window.done_up_to(), at(0));
}

#[test]
fn a_receiver_that_takes_nothing_is_asked_ever_less_often_by_one_request() {
    let lanes: Vec<Lane> = (1..=9).map(Lane::Room).collect();
    let mut window = window(8, &lanes);
    for message in sent(&mut window, 0) {
        window.fail(at(message), failed(0));
    }
    let mut asked = Vec::new();
    for _ in 0..9 {
        let now = window.due().expect("there is something to send");
        asked.push(now);
        let now_sent = sent(&mut window, now);
        assert_eq!(now_sent.len(), 1, "at {now}: {now_sent:?}");
        window.fail(at(now_sent[0]), failed(now));
    }
    let pauses: Vec<u64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.is_sorted() && pauses.last() == Some(&60_000), "{pauses:?}");
    // As soon as it takes one, all go.
    let now = window.due().unwrap();
    let first = sent(&mut window, now)[0];
    window.succeed(at(first));
    assert!(sent(&mut window, now + 60_000).len() > 1);
}

#[test]
fn a_receiver_that_wants_to_be_left_alone_is() {
    let mut window = window(1, &[ONE, TWO]);
    sent(&mut window, 0);
    window.fail(at(1), Failed { retry_after_ms: Some(30_000), ..failed(0) });
    assert!(sent(&mut window, 29_999).is_empty());
    assert_eq!(sent(&mut window, 30_000), [1]);
}

#[test]
fn pauses_are_as_much_as_half_shorter_by_chance() {
    let pause = |dice| {
        let mut window = window(1, &[ONE]);
        sent(&mut window, 0);
        window.fail(at(1), Failed { dice, ..failed(0) });
        window.due().unwrap()
    };
    assert_eq!((pause(0), pause(500), pause(999)), (1_000, 750, 501));
}

#[test]
fn an_old_event_is_given_up_after_ten_attempts_and_the_next_one_goes() {
    let mut window = window(1, &[ONE, ONE]);
    let mut given_up = None;
    let mut attempts = 0;
    while given_up.is_none() {
        let now = window.due().unwrap();
        assert_eq!(sent(&mut window, now), [1]);
        attempts += 1;
        given_up = window.fail(at(1), Failed { is_old: true, ..failed(now) });
    }
    assert_eq!((given_up, attempts, window.done_up_to()), (Some(10), 10, at(1)));
    // The receiver still takes nothing, so that one attempt is enough for another old one.
    let now = window.due().unwrap();
    assert_eq!(sent(&mut window, now), [2]);
    assert_eq!(window.fail(at(2), Failed { is_old: true, ..failed(now) }), Some(1));
    assert!(!window.is_sending() && window.done_up_to() == at(2));
}

#[test]
fn what_is_held_is_bounded_by_count_and_by_bytes() {
    let many = vec![ONE; EVENTS_MAX];
    assert!(window(1, &many).is_full() && !window(1, &many[1..]).is_full());
    let mut window = Window::new(Pacing { concurrency: 1, pause_ms_max: 1 }, at(0));
    let body = Body { id: "msg_1".into(), json: vec![b' '; BYTES_MAX].into() };
    window.add(vec![Job { body, ..job(1, ONE) }], at(1));
    assert!(window.is_full());
    sent(&mut window, 0);
    window.succeed(at(1));
    assert!(!window.is_full());
}
