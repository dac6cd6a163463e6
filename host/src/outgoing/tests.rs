use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use super::*;

/// What a server does with each request of one connection.
type Conversation = &'static [Act];

#[derive(Clone, Copy)]
enum Act {
    Answer,
    /// Ends the connection once it has read the request.
    Close,
    /// Ends it in the middle of a head.
    CloseInHead,
}

use Act::{Answer, Close, CloseInHead};

/// Accepts one connection for each conversation, one after the other; sends the place of the
/// connection at each request.
fn server(conversations: &'static [Conversation]) -> (SocketAddr, Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = channel();
    std::thread::spawn(move || {
        for (place, conversation) in conversations.iter().enumerate() {
            let (mut stream, _) = listener.accept().unwrap();
            for act in *conversation {
                read_request(&mut stream);
                asked.send(place).unwrap();
                match act {
                    Answer => {
                        // Without a body the client keeps the connection as soon as it has this.
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                    }
                    Close => break,
                    CloseInHead => {
                        stream.write_all(b"HTTP/1.1 200").unwrap();
                        break;
                    }
                }
            }
        }
    });
    (address, requests)
}

fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\nask") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
}

fn request(address: SocketAddr) -> Request<Full<Bytes>> {
    Request::post(format!("http://{address}/")).body(Full::from("ask")).unwrap()
}

fn client() -> HttpClient {
    HttpClient::new(&ClientOptions { destinations: Destinations::Any, ca_file: None }).unwrap()
}

fn kind(sent: Result<Response<Incoming>, Failure>) -> Option<FailureKind> {
    sent.err().map(|failure| failure.kind)
}

#[tokio::test]
async fn a_request_is_sent_once_more_where_a_kept_connection_ends_instead_of_a_response() {
    const ENDS: [&[Conversation]; 2] =
        [&[&[Answer, Close], &[Answer]], &[&[Answer, CloseInHead], &[Answer]]];
    for end in ENDS {
        let (address, requests) = server(end);
        let client = client();
        for _ in 0..2 {
            assert_eq!(kind(client.send_idempotent(request(address)).await), None);
        }
        assert_eq!(requests.iter().collect::<Vec<_>>(), [0, 0, 1]);
    }
}

#[tokio::test]
async fn it_is_not_where_the_connection_is_new_nor_where_it_may_not_arrive_twice() {
    let (address, requests) = server(&[&[Close]]);
    let sent = client().send_idempotent(request(address)).await;
    assert_eq!(kind(sent), Some(FailureKind::Response));
    assert_eq!(requests.iter().collect::<Vec<_>>(), [0]);

    let (address, requests) = server(&[&[Answer, Close]]);
    let client = client();
    assert_eq!(kind(client.send(request(address)).await), None);
    assert_eq!(kind(client.send(request(address)).await), Some(FailureKind::Response));
    assert_eq!(requests.iter().collect::<Vec<_>>(), [0, 0]);
}

#[tokio::test]
async fn the_second_attempt_is_the_last() {
    let (address, requests) = server(&[&[Answer, Close], &[Close]]);
    let client = client();
    assert_eq!(kind(client.send_idempotent(request(address)).await), None);
    let sent = client.send_idempotent(request(address)).await;
    assert_eq!(kind(sent), Some(FailureKind::Response));
    assert_eq!(requests.iter().collect::<Vec<_>>(), [0, 0, 1]);
}
