//! `public_url`: where clients reach a listener, if not at its own address.

use figment::value::Value;
use frontend_api::Transport;
use url::Url;

/// The URL at which clients reach a listener, through a proxy for example.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicUrl(Url);

/// The schemes of a transport: plain, and over TLS.
pub(super) fn schemes(transport: Transport) -> [&'static str; 2] {
    match transport {
        Transport::Http => ["http", "https"],
        Transport::WebSocket => ["ws", "wss"],
        Transport::Tcp | Transport::TcpLines => ["tcp", "tls"],
    }
}

impl PublicUrl {
    /// Without a slash at its end.
    pub(crate) fn text(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The port, if clients speak TLS there.
    pub(super) fn tls_port(&self) -> Option<u16> {
        let is_tls = matches!(self.0.scheme(), "https" | "wss" | "tls");
        self.0.port_or_known_default().filter(|_| is_tls)
    }

    /// A URL of any transport.
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        let url = Url::parse(value.as_str().ok_or("expected a string")?).ok().filter(Url::has_host);
        let is_known = |url: &Url| {
            let transports = [Transport::Http, Transport::WebSocket, Transport::Tcp];
            transports.iter().any(|one| schemes(*one).contains(&url.scheme()))
        };
        let url = url.filter(is_known).ok_or(
            "expected a URL such as \"https://chat.example.org\", \"wss://chat.example.org/ws\" or \
             \"tls://chat.example.org:6697\"",
        )?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("documents would show the user in this URL to all clients".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("expected a URL without a query and a fragment".into());
        }
        let is_tcp = schemes(Transport::Tcp).contains(&url.scheme());
        if is_tcp && (url.port().is_none() || !matches!(url.path(), "" | "/")) {
            return Err("expected a port and no path, as in \"tls://chat.example.org:6697\"".into());
        }
        Ok(Self(url))
    }

    /// The URL for listeners of a transport: that of HTTP is one of WebSockets, too. `None`: it is of
    /// another transport.
    pub(super) fn of(&self, transport: Transport) -> Option<Self> {
        let own = schemes(transport);
        let Self(url) = self;
        if own.contains(&url.scheme()) {
            return Some(self.clone());
        }
        let [http, https] = schemes(Transport::Http);
        let scheme = match (transport, url.scheme()) {
            (Transport::WebSocket, scheme) if scheme == http => own[0],
            (Transport::WebSocket, scheme) if scheme == https => own[1],
            _ => return None,
        };
        let mut url = url.clone();
        url.set_scheme(scheme).ok().map(|()| Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<PublicUrl, String> {
        PublicUrl::parse(&Value::from(text))
    }

    #[test]
    fn only_urls_that_clients_can_use_are_taken() {
        for text in [
            "https://chat.example.org",
            "http://127.0.0.1:8080/chat",
            "wss://chat.example.org/ws",
            "tls://chat.example.org:6697",
            "tcp://[2001:db8::1]:5100",
        ] {
            assert!(url(text).is_ok(), "{text}: {:?}", url(text));
        }
        for text in [
            "",
            "chat.example.org",
            "ftp://chat.example.org",
            "https://",
            "https://ann@chat.example.org",
            "https://chat.example.org/?x",
            "https://chat.example.org/#x",
            "tls://chat.example.org",
            "tls://chat.example.org:6697/x",
        ] {
            assert!(url(text).is_err(), "{text}: {:?}", url(text));
        }
    }

    #[test]
    fn a_url_of_http_is_one_of_websockets() {
        let of = |text: &str, transport| {
            url(text).expect(text).of(transport).map(|PublicUrl(url)| url.to_string())
        };
        let wss = of("https://chat.example.org/x", Transport::WebSocket);
        assert_eq!(wss.as_deref(), Some("wss://chat.example.org/x"));
        assert_eq!(of("https://chat.example.org", Transport::TcpLines), None);
        assert_eq!(of("wss://chat.example.org", Transport::Http), None);
    }
}
