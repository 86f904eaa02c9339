//! STOMP over WebSocket.

use crate::client::FAILURE_BOUND;
use crate::{Directory, start};
use ferrymq_server::Server;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(FAILURE_BOUND, test).await.expect("the server answers") })
}

async fn open(server: &Server, offer: &'static str) -> Result<(Socket, Option<String>), Error> {
    let at = server.addresses().websocket.unwrap();
    let mut request = format!("ws://{at}/").into_client_request().unwrap();
    if !offer.is_empty() {
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(offer));
    }
    let (socket, response) = client_async(request, TcpStream::connect(at).await.unwrap()).await?;
    let chosen = response.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap().to_owned());
    Ok((socket, chosen))
}

async fn text(socket: &mut Socket) -> String {
    match socket.next().await.unwrap().unwrap() {
        Message::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_makes_a_round_trip_and_frames_may_be_cut_anywhere() {
    let directory = Directory::new();
    let server = start(&directory);
    run(async {
        let (mut socket, chosen) = open(&server, "v10.stomp, v12.stomp").await.unwrap();
        assert_eq!(chosen.as_deref(), Some("v12.stomp"));
        socket.send(Message::text("CONNECT\naccept-version:1.2\nhost:x\n\n\0")).await.unwrap();
        assert!(text(&mut socket).await.starts_with("CONNECTED\n"));
        let frames = "SUBSCRIBE\nid:1\ndestination:/queue/ws\nreceipt:s\n\n\0\
                      SEND\ndestination:/queue/ws\n\nhello\0";
        let (first, second) = frames.split_at(30);
        socket.send(Message::text(first)).await.unwrap();
        socket.send(Message::binary(second.as_bytes().to_vec())).await.unwrap();
        assert_eq!(text(&mut socket).await, "RECEIPT\nreceipt-id:s\n\n\0");
        let message = text(&mut socket).await;
        assert!(message.starts_with("MESSAGE\n") && message.ends_with("\n\nhello\0"), "{message}");
    });
}

#[test]
fn a_body_that_is_not_text_arrives_in_a_binary_message() {
    let directory = Directory::new();
    let server = start(&directory);
    run(async {
        let (mut socket, chosen) = open(&server, "").await.unwrap();
        assert_eq!(chosen, None);
        let mut frames = b"CONNECT\naccept-version:1.2\nhost:x\n\n\0".to_vec();
        frames.extend_from_slice(b"SUBSCRIBE\nid:1\ndestination:/queue/ws\n\n\0");
        frames.extend_from_slice(b"SEND\ndestination:/queue/ws\ncontent-length:3\n\n\xff\x00\xfe\0");
        socket.send(Message::binary(frames)).await.unwrap();
        assert!(text(&mut socket).await.starts_with("CONNECTED\n"));
        match socket.next().await.unwrap().unwrap() {
            Message::Binary(bytes) => assert!(bytes.ends_with(b"\xff\x00\xfe\0")),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_protocol_error_ends_with_a_close_and_unknown_subprotocols_are_refused() {
    let directory = Directory::new();
    let server = start(&directory);
    run(async {
        let (mut socket, _) = open(&server, "stomp").await.unwrap();
        socket.send(Message::text("SEND\n\n\0")).await.unwrap();
        assert!(text(&mut socket).await.starts_with("ERROR\n"));
        assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
        match open(&server, "mqtt").await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 400),
            other => panic!("{other:?}"),
        }
    });
}
