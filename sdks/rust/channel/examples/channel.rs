//! Registers, says hello in a channel, and shows what others say there, in whatever dialect, until it
//! has heard enough.
//!
//!     cargo run --example channel -- [NAME [CHANNEL [BASE_URL [HOW_MANY]]]]

use std::time::Duration;

use dragoman_channel::{Client, Error, ListenOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let name = next(&format!("ann-{}", std::process::id()));
    let channel = next("TEST");
    let client = Client::new(&next("http://127.0.0.1:5004"));
    let how_many: u32 = next("1").parse().expect("HOW_MANY is a number");

    client.register(&name, "tea for two").await?;
    client.login(&name, "tea for two").await?;
    println!("signed in: {name}");

    let hello = format!("hello from {name}");
    client.send_to_channel(&channel, &hello).await?;
    println!("said hello in: {channel}");

    let often = ListenOptions { interval: Duration::from_millis(200), ..ListenOptions::default() };
    let mut listener = client.listen_to_channel(&channel, often);
    let mut is_new = false;
    let mut heard = 0;
    while heard < how_many {
        let message = listener.next().await?;
        // A new member is given the last messages of a channel, too.
        is_new |= message.name == name && message.msg == hello;
        if message.name != name && is_new {
            println!("heard {}: {}", message.name, message.msg);
            client.send_to_channel(&channel, &format!("thanks for {}", message.msg)).await?;
            heard += 1;
        }
    }

    match client.send("no user of this name", "hello?").await {
        Err(Error::Refused(error)) => {
            println!("refused: ChannelError {}: {}", error.code.number(), error.reason);
            Ok(())
        }
        Err(error) => Err(error),
        Ok(()) => panic!("there is a user of this name"),
    }
}
